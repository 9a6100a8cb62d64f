"""YAML as Go's library reads and writes it, which differs from Python's: times are text, `y` is true, `1e3` a number.

The library takes a fiftieth of a second to load, so that it is loaded only when there is something to read.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable
from functools import cache
from typing import Any

NULL = re.compile(r"~|null|Null|NULL|")
TRUE = re.compile(r"y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON")
FALSE = re.compile(r"n|N|no|No|NO|false|False|FALSE|off|Off|OFF")
INTEGER = re.compile(
    r"[-+]?(?=[0-9])(0[xX]_*[0-9a-fA-F][0-9a-fA-F_]*|0[bB]_*[01][01_]*|0[oO]?_*[0-7][0-7_]*|[1-9][0-9_]*|0)"
)
FLOAT = re.compile(
    r"[-+]?(\._*[0-9][0-9_]*|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
TIME = re.compile(r"\d{4}-\d\d?-\d\d?([Tt ].*)?")
SIXTIES = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
INTEGER_MAX = 2**64
EXACT_MAX = 1e15
OCTAL = re.compile(r"([-+]?)0([0-7])")


class YamlError(ValueError):
    """A text that is no YAML; the message is Go's: `yaml: line 3: …`."""


def load(text: str) -> Any:
    """The one document of a text; None where there is none. Raises YamlError."""
    return next(iter(load_all(text)), None)


def load_all(text: str) -> list[Any]:
    """The documents of a text. Raises YamlError."""
    import yaml

    try:
        return [_as_json(document, ()) for document in yaml.load_all(text, Loader=_loader())]
    except yaml.YAMLError as error:
        raise YamlError(f"yaml: {_problem(error)}") from None
    except RecursionError:
        raise YamlError("yaml: exceeded max depth") from None


def dump(obj: Any) -> str:
    """An object as text: sorted keys, lists not indented, text over several lines as a block."""
    import yaml

    return str(yaml.dump(obj, Dumper=_dumper(), default_flow_style=False, allow_unicode=True))


def _as_json(value: Any, above: tuple[int, ...]) -> Any:
    """The value with keys that are text, as JSON has them. Raises YamlError for what JSON cannot say."""
    if isinstance(value, dict | list):
        if id(value) in above:
            raise YamlError("yaml: anchor value contains itself")
        above = (*above, id(value))
    if isinstance(value, dict):
        return {_key(key, item): _as_json(item, above) for key, item in value.items()}
    return [_as_json(item, above) for item in value] if isinstance(value, list) else value


def _key(key: Any, value: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, bool | int | float):
        return json.dumps(key)
    raise YamlError(
        f"unsupported map key of type: %!s(<nil>), key: <nil>, value: {json.dumps(value, default=str)}"
    )


def _problem(error: Any) -> str:
    """The line and the words, as Go's parser gives them."""
    if getattr(error, "reason", ""):
        return str(error.reason)
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    # Go's parser counts the lines before the one that it stopped at.
    return f"line {max(1, mark.line)}: {problem}" if mark else str(error)


def _integer(text: str) -> int | float:
    plain = OCTAL.sub(r"\g<1>0o\2", text.replace("_", ""), count=1) if OCTAL.match(text) else text
    number = int(plain.replace("_", ""), 0)
    return number if -INTEGER_MAX < number < INTEGER_MAX else float(number)


def _float(text: str) -> int | float | str:
    number = float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))
    if not math.isfinite(number):
        if text[-1:].isdigit():  # too large for a number, so it is text
            return text
        raise YamlError(f"json: unsupported value: {text}")
    # JSON has one kind of number: what is whole is written as such.
    return int(number) if abs(number) < EXACT_MAX and number == int(number) else number


READERS: tuple[tuple[str, re.Pattern[str], Callable[[str], Any]], ...] = (
    ("null", NULL, lambda text: None),
    ("true", TRUE, lambda text: True),
    ("false", FALSE, lambda text: False),
    ("int", INTEGER, _integer),
    ("float", FLOAT, _float),
)
"""Plain words that are no text: a tag for each kind, how it looks, and what it is."""


@cache
def _loader() -> Any:
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        yaml_implicit_resolvers = {"<": yaml.SafeLoader.yaml_implicit_resolvers["<"]}

    for tag in ("binary", "merge"):
        Loader.add_constructor(f"tag:yaml.org,2002:{tag}", _text)
    for tag, pattern, read in READERS:

        def construct(loader: Any, node: Any, read: Callable[[str], Any] = read) -> Any:
            return read(node.value)

        whole = re.compile(rf"(?:{pattern.pattern})\Z")
        Loader.add_implicit_resolver(f"!go-{tag}", whole, None)
        Loader.add_constructor(f"!go-{tag}", construct)
    return Loader


def _text(loader: Any, node: Any) -> str:
    """`<<` that merges nothing, and bytes, which JSON has only as text."""
    if node.tag.endswith("merge"):
        return str(node.value)
    try:
        return base64.b64decode("".join(node.value.split()), validate=True).decode(errors="replace")
    except ValueError:
        raise YamlError("yaml: !!binary value contains invalid base64 data") from None


@cache
def _dumper() -> Any:
    import yaml

    resolvers = yaml.SafeLoader.yaml_implicit_resolvers

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        # `=` and `<<` mean something only to Python's library.
        yaml_implicit_resolvers = {key: value for key, value in resolvers.items() if key not in "=<"}

    def represent(dumper: Any, text: str) -> Any:
        style = "|" if "\n" in text else '"' if _is_ambiguous(text) else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, represent)
    return Dumper


def _is_ambiguous(text: str) -> bool:
    """Whether plain text would be read as something else."""
    patterns = (*(pattern for _, pattern, _ in READERS), TIME, SIXTIES)
    return any(pattern.fullmatch(text) for pattern in patterns)
