"""The strings extension, version 2, and `find`, `findAll` of Kubernetes. Positions count code points."""

from __future__ import annotations

from mamekube.objects.cel import operators
from mamekube.objects.cel.errors import EvaluationError
from mamekube.objects.cel.functions import declare
from mamekube.objects.cel.library.standard import matching_cost, through
from mamekube.objects.cel.regex import compile_pattern


def fifth(length: int) -> int:
    """The cost of going once through a text and of making another one."""
    return -(-length // 5)


def _split_cost(text: str, separator: str, count: int = -1) -> int:
    return fifth(len(text))


def _range_error(position: int) -> EvaluationError:
    return EvaluationError(f"index out of range: {position}")


@declare("charAt", "string, int", "string", member=True, cost=through)
def char_at(text: str, position: int) -> str:
    if not 0 <= position <= len(text):
        raise _range_error(position)
    return text[position : position + 1]


@declare("indexOf", "string, string", "int", member=True, cost=through)
def index_of(text: str, part: str) -> int:
    return text.find(part)


@declare("indexOf", "string, string, int", "int", member=True, cost=through)
def index_of_from(text: str, part: str, start: int) -> int:
    if not part:
        return start
    if start < 0:
        raise _range_error(start)
    return text.find(part, start)


@declare("lastIndexOf", "string, string", "int", member=True, cost=through)
def last_index_of(text: str, part: str) -> int:
    return text.rfind(part)


@declare("lastIndexOf", "string, string, int", "int", member=True, cost=through)
def last_index_of_from(text: str, part: str, start: int) -> int:
    if not part:
        return start
    if start < 0:
        raise _range_error(start)
    return text.rfind(part, 0, start + len(part)) if start < len(text) else -1


def _joined_cost(parts: list[str], separator: str = "") -> int:
    lengths = sum(len(part) if isinstance(part, str) else 1 for part in parts)
    return fifth(lengths + len(separator) * max(0, len(parts) - 1))


@declare("join", "list(string)", "string", member=True, cost=_joined_cost)
@declare("join", "list(string), string", "string", member=True, cost=_joined_cost)
def join(parts: list[str], separator: str = "") -> str:
    if not all(isinstance(part, str) for part in parts):
        wrong = next(part for part in parts if not isinstance(part, str))
        raise EvaluationError(f"join: invalid input: {operators.shown(wrong)}")
    return separator.join(parts)


_UPPER = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_SPACES = (
    " \t\n\v\f\r\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""What Unicode calls white space."""

declare("lowerAscii", "string", "string", member=True, cost=through)(lambda text: text.translate(_LOWER))
declare("upperAscii", "string", "string", member=True, cost=through)(lambda text: text.translate(_UPPER))
declare("trim", "string", "string", member=True, cost=through)(lambda text: text.strip(_SPACES))


def _replaced_cost(text: str, old: str, new: str, count: int = -1) -> int:
    """The result may be longer than what it was made of."""
    found = len(text) + 1 if not old else text.count(old)
    if count >= 0:
        found = min(found, count)
    return 1 + (len(text) + found * len(new)) // 10


@declare("replace", "string, string, string", "string", member=True, cost=_replaced_cost)
@declare("replace", "string, string, string, int", "string", member=True, cost=_replaced_cost)
def replace(text: str, old: str, new: str, count: int = -1) -> str:
    return text.replace(old, new, count)


@declare("split", "string, string", "list(string)", member=True, cost=_split_cost)
@declare("split", "string, string, int", "list(string)", member=True, cost=_split_cost)
def split(text: str, separator: str, count: int = -1) -> list[str]:
    if count == 0:
        return []
    if separator:
        return text.split(separator, count - 1 if count > 0 else -1)
    if 0 < count < len(text):
        return [*text[: count - 1], text[count - 1 :]]
    return list(text)


@declare("substring", "string, int", "string", member=True, cost=through)
def substring_from(text: str, start: int) -> str:
    if not 0 <= start <= len(text):
        raise _range_error(start)
    return text[start:]


@declare("substring", "string, int, int", "string", member=True, cost=through)
def substring(text: str, start: int, end: int) -> str:
    if start > end:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {end}")
    if not 0 <= start <= len(text):
        raise _range_error(start)
    if end > len(text):
        raise _range_error(end)
    return text[start:end]


_QUOTED = {7: "\\a", 8: "\\b", 12: "\\f", 10: "\\n", 13: "\\r", 9: "\\t", 11: "\\v", 92: "\\\\", 34: '\\"'}


@declare("strings.quote", "string", "string", cost=through)
def quote(text: str) -> str:
    return f'"{text.translate(_QUOTED)}"'


# Regular expressions ------------------------------------------------------------------------------------


@declare("find", "string, string", "string", member=True, cost=matching_cost)
def find(text: str, pattern: str) -> str:
    match = compile_pattern(pattern).search(text)
    return match.group() if match else ""


@declare("findAll", "string, string", "list(string)", member=True, cost=matching_cost)
@declare("findAll", "string, string, int", "list(string)", member=True, cost=matching_cost)
def find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found: list[str] = []
    for match in compile_pattern(pattern).finditer(text):
        if 0 <= limit <= len(found):
            break
        found.append(match.group())
    return found
