"""JSONPath templates as kubectl and printer columns read them: text with `{expressions}`, filters and unions.

The grammar is client-go's `util/jsonpath`, which differs from every JSONPath library: a template has text
around expressions, and what an expression finds is printed with blanks between.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

GO_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "&<>\u2028\u2029"}
"""What Go's JSON writes as a number, lest a browser take it for more than text."""


class JSONPathError(ValueError):
    """A template that does not parse, or a path that a document does not have."""


@dataclass(slots=True)
class Step:
    """One step of a path. `kind`: field, index, slice, all, recursive, filter, union."""

    kind: str
    value: Any = None


@dataclass(slots=True)
class Node:
    """One node of a template. `kind`: text, path, range."""

    kind: str
    value: Any = None
    body: list[Node] = field(default_factory=list)


def render(template: str, document: Any, *, allow_missing: bool = True) -> str:
    """The template filled in from the document. Raises JSONPathError."""
    pieces: list[str] = []
    _render(parse(template), document, document, pieces, allow_missing)
    return "".join(pieces)


def find(path: str, document: Any) -> list[Any]:
    """Everything that one path (with or without braces) finds; nothing where the document lacks a field of it."""
    return _walk(steps_of(path), [document], document, True)


def steps_of(path: str) -> Sequence[Step]:
    """One path, with or without braces. Raises JSONPathError."""
    nodes = parse(relaxed(path))
    if len(nodes) != 1 or nodes[0].kind != "path":
        raise JSONPathError(f"unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{{name1.name2}}' "
                            f"or '{{.name1.name2}}': {path}")  # fmt: skip
    steps: Sequence[Step] = nodes[0].value
    return steps


def relaxed(path: str) -> str:
    """kubectl takes `x.y`, `.x.y`, `{x.y}` and `{.x.y}` for the same."""
    inner = path[1:-1] if path.startswith("{") and path.endswith("}") else path
    if inner.count("{") or inner.count("}"):
        return path
    if not inner.startswith((".", "[", "$", "@")):
        inner = f".{inner}"
    return f"{{{inner}}}"


def parse(template: str) -> list[Node]:
    """The nodes of a template."""
    root: list[Node] = []
    stack = [root]
    position = 0
    while position < len(template):
        start = template.find("{", position)
        if start < 0:
            stack[-1].append(Node("text", template[position:]))
            break
        if start > position:
            stack[-1].append(Node("text", template[position:start]))
        end = _closing(template, start)
        _add_expression(template[start + 1 : end].strip(), stack)
        position = end + 1
    if len(stack) > 1:
        raise JSONPathError("unterminated range, expected: end")
    return root


def _closing(template: str, start: int) -> int:
    quote = ""
    for position in range(start + 1, len(template)):
        character = template[position]
        if quote:
            if character == quote and template[position - 1] != "\\":
                quote = ""
        elif character in "'\"":
            quote = character
        elif character == "}":
            return position
    raise JSONPathError("unclosed action")


def _add_expression(text: str, stack: list[list[Node]]) -> None:
    if text == "end":
        if len(stack) == 1:
            raise JSONPathError("not in range, nothing to end")
        stack.pop()
        return
    if text.startswith("range") and text[5:6] in (" ", ".", "[", "$", "@"):
        node = Node("range", _path(text[5:].strip()))
        stack[-1].append(node)
        stack.append(node.body)
        return
    if text[:1] in "'\"" and text[-1:] == text[:1]:
        stack[-1].append(Node("text", _unquote(text)))
        return
    # Several expressions in one pair of braces stand one after the other.
    for part in _split_paths(text):
        stack[-1].append(Node("text", _unquote(part)) if part[:1] in "'\"" else Node("path", _path(part)))


_PATH = re.compile(r"""\s*+((?:"[^"]*"|'[^']*'|\[(?:[^\]'"]|'[^']*'|"[^"]*")*\]|[^\s\['"])+)""")


def _split_paths(text: str) -> list[str]:
    paths: list[str] = []
    text = text.rstrip()
    position = 0
    while position < len(text):
        match = _PATH.match(text, position)
        if match is None:
            bracket = text[position:].lstrip().startswith("[")
            raise JSONPathError("unterminated array" if bracket else "unterminated quoted string")
        paths.append(match[1])
        position = match.end()
    return paths


def _unquote(text: str) -> str:
    body = text[1:-1]
    return re.sub(r"\\(.)", lambda match: {"n": "\n", "t": "\t", "r": "\r"}.get(match[1], match[1]), body)


def _path(text: str) -> list[Step]:
    steps: list[Step] = []
    position = 0
    if text[:1] == "$":
        steps.append(Step("root"))
        position = 1
    elif text[:1] == "@":
        position = 1
    while position < len(text):
        if text.startswith("..", position):
            steps.append(Step("recursive"))
            position += 1 if text[position + 2 : position + 3] not in ("[", "") else 2
        elif text[position] == ".":
            name, position = _name(text, position + 1)
            if name == "*":
                steps.append(Step("all"))
            elif name:
                steps.append(Step("field", name))
        elif text[position] == "[":
            end = _bracket_end(text, position)
            steps.append(_bracket(text[position + 1 : end].strip()))
            position = end + 1
        else:
            name, position = _name(text, position)
            steps.append(Step("field", name))
    return steps


def _name(text: str, position: int) -> tuple[str, int]:
    match = re.compile(r"(?:\\.|[^.\[\]\s])*").match(text, position)
    assert match is not None, "the pattern matches the empty text"
    if match.end() == position and position < len(text) and text[position] not in "[.":
        raise JSONPathError(f"unrecognized character in action: {text[position]!r}")
    return re.sub(r"\\(.)", r"\1", match[0]), match.end()


def _bracket_end(text: str, start: int) -> int:
    depth, quote = 0, ""
    for position in range(start, len(text)):
        character = text[position]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "[":
            depth += 1
        elif character == "]":
            depth -= 1
            if not depth:
                return position
    raise JSONPathError("unterminated array")


def _bracket(text: str) -> Step:
    if text == "*":
        return Step("all")
    if text.startswith("?(") and text.endswith(")"):
        return Step("filter", _filter(text[2:-1].strip()))
    parts = re.findall(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,]+""", text)
    if len(parts) > 1:
        return Step("union", [_bracket(part.strip()) for part in parts])
    if text[:1] in "'\"":
        return Step("field", _unquote(text))
    match = re.fullmatch(r"(-?\d*)(?::(-?\d*)(?::(\d*))?)?", text)
    if not match or not text:
        raise JSONPathError(f"invalid array index {text}")
    if ":" in text:
        return Step("slice", slice(*(int(number) if number else None for number in match.groups())))
    return Step("index", int(text))


_OPERATOR = re.compile("==|!=|<=|>=|<|>")


def _filter(text: str) -> tuple[list[Step], str, Any]:
    match = _OPERATOR.search(text, 1)
    if match is None or match.end() == len(text):
        return _path(text), "exists", None
    left, operator, right = text[: match.start()].rstrip(), match[0], text[match.end() :].lstrip()
    if right[:1] in "'\"":
        return _path(left), operator, ("value", _unquote(right))
    if right[:1] in "@$":
        return _path(left), operator, ("path", _path(right))
    try:
        return _path(left), operator, ("value", json.loads(right))
    except ValueError:
        raise JSONPathError(f"unrecognized value in filter: {right}") from None


def _render(nodes: Sequence[Node], current: Any, root: Any, pieces: list[str], allow_missing: bool) -> None:
    for node in nodes:
        if node.kind == "text":
            pieces.append(node.value)
        elif node.kind == "path":
            found = _walk(node.value, [current], root, allow_missing)
            pieces.append(" ".join(text_of(value) for value in found))
        else:
            for value in _walk(node.value, [current], root, allow_missing):
                _render(node.body, value, root, pieces, allow_missing)


def _walk(steps: Sequence[Step], values: list[Any], root: Any, allow_missing: bool) -> list[Any]:
    for step in steps:
        if step.kind == "root":
            values = [root]
        else:
            values = [found for value in values for found in _step(step, value, root, allow_missing)]
    return values


def _step(step: Step, value: Any, root: Any, allow_missing: bool) -> list[Any]:
    match step.kind:
        case "field":
            if isinstance(value, dict) and step.value in value:
                return [value[step.value]]
            if not allow_missing:
                raise JSONPathError(f"{step.value} is not found")
            return []
        case "all":
            if isinstance(value, dict):
                return [value[key] for key in sorted(value)]
            return list(value) if isinstance(value, list) else []
        case "index":
            return [] if value is None else [_item(value, step.value)]
        case "slice":
            return value[step.value] if isinstance(value, list) else []
        case "union":
            return [found for part in step.value for found in _step(part, value, root, True)]
        case "recursive":
            return _descendants(value)
    return [item for item in value if _passes(step.value, item, root)] if isinstance(value, list) else []


def _item(value: Any, index: int) -> Any:
    """An item that is not there is no missing field: nobody may leave it out."""
    if not isinstance(value, list):
        raise JSONPathError(f"{_GO_TYPES.get(type(value), 'float64')} is not array or slice")
    if not -len(value) <= index < len(value):
        shown = index if index >= 0 else index + len(value)
        raise JSONPathError(f"array index out of bounds: index {shown}, length {len(value)}")
    return value[index]


_GO_TYPES: dict[type, str] = {dict: "map[string]interface {}", str: "string", bool: "bool", int: "int64"}


def _descendants(value: Any) -> list[Any]:
    found = [value]
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        found += _descendants(child)
    return found


def _passes(condition: tuple[list[Step], str, Any], item: Any, root: Any) -> bool:
    path, operator, operand = condition
    left = _walk(path, [item], root, True)
    if operator == "exists":
        return bool(left)
    right = [operand[1]] if operand[0] == "value" else _walk(operand[1], [item], root, True)
    if not left or not right:
        return False
    first, second = left[0], right[0]
    if operator in ("==", "!="):
        return (first == second) == (operator == "==")
    try:
        return {"<": first < second, ">": first > second, "<=": first <= second, ">=": first >= second}[
            operator
        ]
    except TypeError:
        return False


def text_of(value: Any) -> str:
    """A value as a template prints it: text as it is, everything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return float_text(value)
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    return text.translate(GO_ESCAPES)


_DIGITS_MAX = 6
"""How many digits Go writes before the point: of a number that has more it tells the exponent."""


def float_text(value: float) -> str:
    """A number as Go's `fmt.Print` writes it: `1e+06`, `1.5`, `2`."""
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    if not isinstance(exponent, int):
        return {"n": "NaN", "N": "NaN", "F": "-Inf" if sign else "+Inf"}[exponent]
    power = len(digits) + exponent - 1
    if -4 <= power < _DIGITS_MAX:
        return f"{Decimal((sign, digits, exponent)):f}"
    head, tail = str(digits[0]), "".join(map(str, digits[1:]))
    mantissa = f"{head}.{tail}" if tail else head
    return f"{'-' if sign else ''}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
