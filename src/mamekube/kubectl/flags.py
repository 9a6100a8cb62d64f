"""Flags as kubectl's library reads them (pflag): long and short, before and after arguments, `--` ends them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mamekube.kubectl.failures import Failure
from mamekube.objects import durations


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag. `kind` is bool, string, int, duration, list (may be repeated, commas split) or array (not split)."""

    name: str
    kind: str = "string"
    short: str = ""
    default: Any = None
    bare: str = ""
    """The value of a string flag that stands without one: `--dry-run` is `--dry-run=unchanged`."""


@dataclass(slots=True)
class Arguments:
    """What a command line says: positional words, flags by name, and the words after `--`."""

    words: list[str] = field(default_factory=list)
    flags: dict[str, Any] = field(default_factory=dict)
    after_dashes: list[str] | None = None
    """None where there is no `--`."""

    def __getitem__(self, name: str) -> Any:
        return self.flags.get(name)

    def given(self, name: str) -> bool:
        return name in self.flags

    def get(self, name: str, default: Any) -> Any:
        return self.flags.get(name, default)


def parse(
    words: Sequence[str], flags: Sequence[Flag], *, interspersed: bool = True, command: str = ""
) -> Arguments:
    """Sort the words of a command line. Raises Failure with kubectl's text for a flag that it does not have."""
    try:
        return _parse(words, flags, interspersed=interspersed)
    except Failure as failure:
        name = f"kubectl {command}".strip()
        raise Failure(f"{failure.text}\nSee '{name} --help' for usage.") from None


def _parse(words: Sequence[str], flags: Sequence[Flag], *, interspersed: bool) -> Arguments:
    by_name = {flag.name: flag for flag in flags}
    by_short = {flag.short: flag for flag in flags if flag.short}
    arguments = Arguments()
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            arguments.after_dashes = rest
            break
        if word.startswith("--"):
            _long(word, rest, by_name, arguments)
        elif word.startswith("-") and len(word) > 1:
            _short(word, rest, by_short, arguments)
        else:
            arguments.words.append(word)
            if not interspersed:
                arguments.words += rest
                break
    return arguments


def _long(word: str, rest: list[str], by_name: dict[str, Flag], arguments: Arguments) -> None:
    name, equals, value = word[2:].partition("=")
    flag = by_name.get(name)
    if flag is None:
        raise Failure(f"error: unknown flag: --{name}")
    if not equals:
        value = _missing_value(flag, rest, word)
    _store(flag, value, arguments)


def _short(word: str, rest: list[str], by_short: dict[str, Flag], arguments: Arguments) -> None:
    letters = word[1:]
    while letters:
        flag = by_short.get(letters[0])
        if flag is None:
            raise Failure(f"error: unknown shorthand flag: '{letters[0]}' in {word}")
        letters = letters[1:]
        if flag.kind == "bool" and not letters.startswith("="):
            _store(flag, "true", arguments)
            continue
        value = (
            letters.removeprefix("=") if letters else _missing_value(flag, rest, f"'{flag.short}' in {word}")
        )
        _store(flag, value, arguments)
        return


def _missing_value(flag: Flag, rest: list[str], place: str) -> str:
    if flag.kind == "bool":
        return "true"
    if flag.bare:
        return flag.bare
    if not rest:
        raise Failure(f"error: flag needs an argument: {place}")
    return rest.pop(0)


def _store(flag: Flag, value: str, arguments: Arguments) -> None:
    known = arguments.flags
    shown = f"-{flag.short}, --{flag.name}" if flag.short else f"--{flag.name}"
    if flag.kind == "bool":
        if value.lower() not in ("true", "false", "1", "0", "t", "f"):
            raise Failure(
                f'error: invalid argument "{value}" for "{shown}" flag: strconv.ParseBool: parsing "{value}": '
                "invalid syntax"
            )
        known[flag.name] = value.lower() in ("true", "1", "t")
    elif flag.kind == "int":
        try:
            known[flag.name] = int(value)
        except ValueError:
            raise Failure(
                f'error: invalid argument "{value}" for "{shown}" flag: strconv.ParseInt: parsing "{value}": '
                "invalid syntax"
            ) from None
    elif flag.kind == "duration":
        try:
            known[flag.name] = durations.parse_s(value)
        except ValueError as error:
            raise Failure(f'error: invalid argument "{value}" for "{shown}" flag: {error}') from None
    elif flag.kind == "list":
        known[flag.name] = [*known.get(flag.name, []), *value.split(",")]
    elif flag.kind == "array":
        known[flag.name] = [*known.get(flag.name, []), value]
    else:
        known[flag.name] = value
