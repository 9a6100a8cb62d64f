"""Label selectors and field selectors: text or LabelSelector objects in, a predicate out.

The grammar is apimachinery's: `a=b,c!=d,e in (f,g),h notin (i),j,!k`, and `x>1`, `x<1` on integers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

IN = "in"
NOT_IN = "notin"
EXISTS = "exists"
DOES_NOT_EXIST = "!"
GREATER = "gt"
LESS = "lt"

_EXPRESSION_OPERATORS = {
    "In": IN,
    "NotIn": NOT_IN,
    "Exists": EXISTS,
    "DoesNotExist": DOES_NOT_EXIST,
    "Gt": GREATER,
    "Lt": LESS,
}


class SelectorError(ValueError):
    """A selector that does not parse. The text says what was found and what was expected, as upstream's."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        if self.operator == IN:
            return value is not None and value in self.values
        if self.operator == NOT_IN:
            return value is None or value not in self.values
        if self.operator == EXISTS:
            return value is not None
        if self.operator == DOES_NOT_EXIST:
            return value is None
        return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        try:
            number, bound = int(value or ""), int(next(iter(self.values)))
        except ValueError:
            return False
        return number > bound if self.operator == GREATER else number < bound

    def __str__(self) -> str:
        values = ",".join(sorted(self.values))
        if self.operator == IN:
            return f"{self.key}={values}" if len(self.values) == 1 else f"{self.key} in ({values})"
        if self.operator == NOT_IN:
            return f"{self.key}!={values}" if len(self.values) == 1 else f"{self.key} notin ({values})"
        if self.operator == EXISTS:
            return self.key
        if self.operator == DOES_NOT_EXIST:
            return f"!{self.key}"
        return f"{self.key}{'>' if self.operator == GREATER else '<'}{values}"


@dataclass(frozen=True, slots=True)
class Selector:
    """All of its requirements together; none of them selects everything, unless it is `NOTHING`."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        if self.nothing:
            return False
        return all(requirement.matches(labels) for requirement in self.requirements)

    @property
    def empty(self) -> bool:
        """Selects everything."""
        return not self.requirements and not self.nothing

    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in self.requirements)


EVERYTHING = Selector()
NOTHING = Selector(nothing=True)


def from_labels(labels: Mapping[str, str] | None) -> Selector:
    """The selector of a plain map (Service, ReplicationController, nodeSelector): every label equal."""
    return Selector(
        tuple(Requirement(key, IN, frozenset((str(value),))) for key, value in sorted((labels or {}).items()))
    )


def from_label_selector(selector: Mapping[str, Any] | None) -> Selector:
    """The selector of a `metav1.LabelSelector`: None selects nothing, an empty one everything."""
    if selector is None:
        return NOTHING
    requirements = list(from_labels(selector.get("matchLabels")).requirements)
    for expression in selector.get("matchExpressions") or ():
        requirements.append(from_expression(expression))
    return Selector(tuple(sorted(requirements, key=lambda requirement: requirement.key)))


def from_expression(expression: Mapping[str, Any]) -> Requirement:
    """One `matchExpressions` entry. Raises SelectorError for an operator that does not exist."""
    operator = _EXPRESSION_OPERATORS.get(expression.get("operator", ""))
    if operator is None:
        raise SelectorError(f'"{expression.get("operator", "")}" is not a valid label selector operator')
    values = frozenset(str(value) for value in expression.get("values") or ())
    return Requirement(expression.get("key", ""), operator, values)


# Text -------------------------------------------------------------------------------------------------

_TOKEN = re.compile(r"\s*(?:(==|!=|=|!|>|<|,|\(|\))|([^\s=!<>,()]+))")
_QUALIFIED_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
LABEL_PART_LENGTH_MAX = 63


def parse(text: str) -> Selector:
    """A selector out of text, as in `?labelSelector=` and `kubectl -l`. Raises SelectorError."""
    if not text.strip():
        return EVERYTHING
    tokens = _tokens(text)
    requirements = []
    position = 0
    while True:
        requirement, position = _requirement(tokens, position)
        requirements.append(requirement)
        if position == len(tokens):
            break
        if tokens[position] != ",":
            raise SelectorError(f"found '{tokens[position]}', expected: ',' or 'end of string'")
        position += 1
    return Selector(tuple(sorted(requirements, key=lambda requirement: requirement.key)))


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        assert match is not None, "every character is a symbol, white space or part of a word"
        tokens.append(match.group(1) or match.group(2))
        position = match.end()
    return tokens


def _requirement(tokens: Sequence[str], position: int) -> tuple[Requirement, int]:
    def peek(offset: int = 0) -> str:
        return tokens[position + offset] if position + offset < len(tokens) else ""

    if peek() == "!":
        return Requirement(_key(peek(1)), DOES_NOT_EXIST), position + 2
    key = _key(peek())
    operator = peek(1)
    if operator in ("", ","):
        return Requirement(key, EXISTS), position + 1
    if operator in ("=", "==", "!="):
        value = peek(2)
        width = 3
        if value in ("", ","):
            value, width = "", 2
        kind = NOT_IN if operator == "!=" else IN
        return Requirement(key, kind, frozenset((_value(key, value),))), position + width
    if operator in (">", "<"):
        if not re.fullmatch(r"[-+]?\d+", peek(2)):
            raise SelectorError("for 'Gt', 'Lt' operators, the value must be an integer")
        return Requirement(key, GREATER if operator == ">" else LESS, frozenset((peek(2),))), position + 3
    if operator in (IN, NOT_IN):
        values, position = _value_list(tokens, position + 2, key)
        return Requirement(key, operator, values), position
    raise SelectorError(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")


def _value_list(tokens: Sequence[str], position: int, key: str) -> tuple[frozenset[str], int]:
    if position >= len(tokens) or tokens[position] != "(":
        found = tokens[position] if position < len(tokens) else ""
        raise SelectorError(f"found '{found}', expected: '('")
    values: list[str] = [""]
    position += 1
    while position < len(tokens) and tokens[position] != ")":
        if tokens[position] == ",":
            values.append("")
        elif values[-1]:
            raise SelectorError(f"found '{tokens[position]}', expected: ',', or ')'")
        else:
            values[-1] = _value(key, tokens[position])
        position += 1
    if position >= len(tokens):
        raise SelectorError("found '', expected: ',', or ')'")
    return frozenset(values), position + 1


def _key(token: str) -> str:
    prefix, slash, name = token.rpartition("/")
    if (
        (slash and not prefix)
        or len(name) > LABEL_PART_LENGTH_MAX
        or not _QUALIFIED_NAME.fullmatch(name)
        or (
            prefix
            and not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", prefix)
        )
    ):
        if not token or token in "=!<>,()==!=":
            raise SelectorError(f"found '{token}', expected: !, identifier, or 'end of string'")
        raise SelectorError(
            f"key: Invalid value: \"{token}\": name part must consist of alphanumeric characters, '-', '_' or '.', "
            "and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', "
            "regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
        )
    return token


def _value(key: str, value: str) -> str:
    if len(value) > LABEL_PART_LENGTH_MAX:
        raise SelectorError(f'values[0][{key}]: Invalid value: "{value}": must be no more than 63 bytes')
    if not _LABEL_VALUE.fullmatch(value):
        raise SelectorError(
            f'values[0][{key}]: Invalid value: "{value}": a valid label must be an empty string or consist of '
            "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. "
            "'MyValue',  or 'my_value',  or '12345', regex used for validation is "
            "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
        )
    return value


# Fields -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """`field = value`, or `field != value` where `negated`."""

    field: str
    value: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """All of its terms together."""

    terms: tuple[FieldTerm, ...] = ()

    @property
    def empty(self) -> bool:
        return not self.terms

    def matches(self, value_of: Callable[[str], str]) -> bool:
        """`value_of` answers the text of a field of the object in question."""
        return all((value_of(term.field) == term.value) != term.negated for term in self.terms)

    def exact(self, field: str) -> str | None:
        """The value that `field` must have, where the selector says so."""
        return next((term.value for term in self.terms if term.field == field and not term.negated), None)

    def __str__(self) -> str:
        return ",".join(f"{term.field}{'!=' if term.negated else '='}{term.value}" for term in self.terms)


def parse_fields(text: str) -> FieldSelector:
    """`a=b,c==d,e!=f`, with backslash escapes for `,`, `=` and itself. Raises SelectorError."""
    terms = []
    for part in _split_escaped(text):
        match = re.match(r"((?:[^\\=!]|\\.|!(?!=))*)(==|!=|=)(.*)", part, re.DOTALL)
        if match is None:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{part}'")
        field, operator, value = match.groups()
        terms.append(FieldTerm(field, _unescape(value), operator == "!="))
    return FieldSelector(tuple(terms))


def _split_escaped(text: str) -> list[str]:
    return [part for part in re.findall(r"(?:[^\\,]|\\.|\\\Z)+", text, re.DOTALL) if part]


def _unescape(value: str) -> str:
    """Upstream shows an `=` that is not escaped by its number."""
    if "\\" not in value and "=" not in value:
        return value
    for match in re.finditer(r"\\(.?)|=", value, re.DOTALL):
        if match[0] == "=":
            raise SelectorError(f"invalid field selector: unescaped character in value: {ord('=')}")
        if match[1] not in ("\\", ",", "="):
            raise SelectorError(f"invalid field selector: invalid escape sequence: {match[0]}")
    return re.sub(r"\\([\\,=])", r"\1", value)
