"""Go templates, as far as `kubectl -o go-template` needs them: fields, pipelines, control, variables, functions.

The language is Go's text/template on decoded JSON.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mamekube.objects.jsonpath import float_text


class TemplateError(ValueError):
    """A template that does not parse or cannot be executed."""


NO_VALUE = object()
"""What a field that is missing is: prints as `<no value>`, counts as false."""


@dataclass(slots=True)
class Node:
    """A piece of a template. `kind`: text, action, if, range, with."""

    kind: str
    value: Any = None
    body: list[Node] = field(default_factory=list)
    otherwise: list[Node] = field(default_factory=list)


_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_ACTION = re.compile(r"\{\{(-\s)?\s*(.*?)\s*(\s-)?\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?P<number>-?\d+(?:\.\d+)?)|(?P<define>:=)|"""
    r"""(?P<symbol>[()|,=])|(?P<path>\$?\w*(?:\.\w+)*\.?|\.)(?=[\s()|,=]|$))"""
)


def render(template: str, document: Any) -> str:
    """The template executed with the document as dot. Raises TemplateError."""
    pieces: list[str] = []
    _Execution(document, pieces).run(parse(template), document, {"$": document})
    return "".join(pieces)


def parse(template: str) -> list[Node]:
    root: list[Node] = []
    stack: list[tuple[Node | None, list[Node]]] = [(None, root)]
    position, trim = 0, False
    for match in _ACTION.finditer(template):
        text = template[position : match.start()]
        text = text.lstrip() if trim else text
        text = text.rstrip() if match[1] else text
        if text:
            stack[-1][1].append(Node("text", text))
        trim, position = bool(match[3]), match.end()
        _add(match[2], stack)
    tail = template[position:]
    if "{{" in tail:
        raise TemplateError("unclosed action")
    if tail:
        stack[-1][1].append(Node("text", tail.lstrip() if trim else tail))
    if len(stack) > 1:
        raise TemplateError("unexpected EOF")
    return root


def _add(text: str, stack: list[tuple[Node | None, list[Node]]]) -> None:
    if text.startswith("/*"):
        return
    # A keyword ends where its letters do: `range.items` and `if(eq .a .b)` are as good as with a blank.
    word = text[: len(text) - len(text.lstrip(_LETTERS))]
    rest = text[len(word) :]
    if word in ("if", "range", "with"):
        node = Node(word, _tokens(rest))
        stack[-1][1].append(node)
        stack.append((node, node.body))
    elif word == "else":
        opened = stack[-1][0]
        if opened is None:
            raise TemplateError("unexpected {{else}}")
        stack[-1] = (opened, opened.otherwise)
        if rest.strip():
            _add(rest.strip(), stack)
            nested = stack.pop()[0]
            assert nested is not None, "an else branch opens a node"
            # `else if` ends together with the `if` it belongs to.
            stack[-1] = (nested, nested.body)
    elif word == "end":
        if len(stack) == 1:
            raise TemplateError("unexpected {{end}}")
        stack.pop()
    else:
        stack[-1][1].append(Node("action", _tokens(text)))


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, position = [], 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.end() == position:
            raise TemplateError(f"unexpected {text[position:].strip()[:20]!r} in operand")
        tokens.append((match.lastgroup or "", match[match.lastgroup or 0]))
        position = match.end()
    return tokens


class _Execution:
    def __init__(self, document: Any, pieces: list[str]) -> None:
        self._document = document
        self._pieces = pieces

    def run(self, nodes: Sequence[Node], dot: Any, variables: dict[str, Any]) -> None:
        for node in nodes:
            if node.kind == "text":
                self._pieces.append(node.value)
            elif node.kind == "action":
                value, assigned = self._pipeline_or_assignment(node.value, dot, variables)
                if not assigned:
                    self._pieces.append(text_of(value))
            elif node.kind == "range":
                self._range(node, dot, dict(variables))
            else:
                inner = dict(variables)
                value, _ = self._pipeline_or_assignment(node.value, dot, inner)
                if truth(value):
                    self.run(node.body, value if node.kind == "with" else dot, inner)
                else:
                    self.run(node.otherwise, dot, inner)

    def _range(self, node: Node, dot: Any, variables: dict[str, Any]) -> None:
        tokens = list(node.value)
        names: list[str] = []
        defines = next((index for index, token in enumerate(tokens) if token[0] == "define"), None)
        if defines is not None:
            names = [text for kind, text in tokens[:defines] if kind == "path"]
            tokens = tokens[defines + 1 :]
        value = self._pipeline(tokens, dot, variables)
        pairs: list[tuple[Any, Any]] = []
        if isinstance(value, dict):
            pairs = [(key, value[key]) for key in sorted(value)]
        elif isinstance(value, list):
            pairs = list(enumerate(value))
        elif truth(value):
            raise TemplateError(f"range can't iterate over {text_of(value)}")
        for key, item in pairs:
            inner = dict(variables)
            if len(names) == 1:
                inner[names[0]] = item
            elif names:
                inner[names[0]], inner[names[1]] = key, item
            self.run(node.body, item, inner)
        if not pairs:
            self.run(node.otherwise, dot, variables)

    def _pipeline_or_assignment(
        self, tokens: Sequence[tuple[str, str]], dot: Any, variables: dict[str, Any]
    ) -> tuple[Any, bool]:
        if len(tokens) > 1 and (tokens[1][0] == "define" or tokens[1] == ("symbol", "=")):
            variables[tokens[0][1]] = self._pipeline(tokens[2:], dot, variables)
            return variables[tokens[0][1]], True
        return self._pipeline(tokens, dot, variables), False

    def _pipeline(self, tokens: Sequence[tuple[str, str]], dot: Any, variables: dict[str, Any]) -> Any:
        value: Any = NO_VALUE
        for number, command in enumerate(_split(tokens)):
            value = self._command(command, dot, variables, [] if number == 0 else [value])
        return value

    def _command(
        self, tokens: Sequence[tuple[str, str]], dot: Any, variables: dict[str, Any], piped: list[Any]
    ) -> Any:
        if not tokens:
            raise TemplateError("missing value for command")
        kind, text = tokens[0]
        if kind == "path" and text in FUNCTIONS:
            return FUNCTIONS[text](*self._operands(tokens[1:], dot, variables), *piped)
        operands = self._operands(tokens, dot, variables)
        if len(operands) > 1 or piped:
            raise TemplateError(f"can't give argument to non-function {text}")
        return operands[0]

    def _operands(self, tokens: Sequence[tuple[str, str]], dot: Any, variables: dict[str, Any]) -> list[Any]:
        operands: list[Any] = []
        position = 0
        while position < len(tokens):
            kind, text = tokens[position]
            if (kind, text) == ("symbol", "("):
                end = _parenthesis_end(tokens, position)
                operands.append(self._pipeline(tokens[position + 1 : end], dot, variables))
                position = end
            elif (
                kind == "path"
                and text.startswith(".")
                and operands
                and tokens[position - 1] == ("symbol", ")")
            ):
                # (index .list 0).field
                operands.append(_fields(operands.pop(), text))
            else:
                operands.append(self._operand(kind, text, dot, variables))
            position += 1
        return operands

    def _operand(self, kind: str, text: str, dot: Any, variables: dict[str, Any]) -> Any:
        if kind == "string":
            return text[1:-1] if text[0] == "`" else json.loads(text)
        if kind == "number":
            return float(text) if "." in text else int(text)
        if kind != "path":
            raise TemplateError(f"unexpected {text!r} in operand")
        if text in ("true", "false"):
            return text == "true"
        if text == "nil":
            return None
        if text.startswith("$"):
            name, _, rest = text.partition(".")
            if name not in variables:
                raise TemplateError(f"undefined variable {name!r}")
            return _fields(variables[name], f".{rest}")
        if text.startswith("."):
            return _fields(dot, text)
        if text in FUNCTIONS:
            return FUNCTIONS[text]()
        raise TemplateError(f'function "{text}" not defined')


def _split(tokens: Sequence[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    commands: list[list[tuple[str, str]]] = [[]]
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token[1], 0) if token[0] == "symbol" else 0
        if token == ("symbol", "|") and not depth:
            commands.append([])
        else:
            commands[-1].append(token)
    return commands


def _parenthesis_end(tokens: Sequence[tuple[str, str]], start: int) -> int:
    depth = 0
    for position in range(start, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[position][1], 0) if tokens[position][0] == "symbol" else 0
        if not depth:
            return position
    raise TemplateError("unclosed left paren")


def _fields(value: Any, path: str) -> Any:
    for name in filter(None, path.split(".")):
        if value is NO_VALUE or value is None:
            return NO_VALUE
        if not isinstance(value, dict):
            raise TemplateError(f"can't evaluate field {name} in type {type(value).__name__}")
        value = value.get(name, NO_VALUE)
    return value


def truth(value: Any) -> bool:
    """Whether a value is not empty."""
    return value is not NO_VALUE and bool(value)


def text_of(value: Any) -> str:
    """A value as a template shows it."""
    return "<no value>" if value is NO_VALUE or value is None else printed(value)


def printed(value: Any) -> str:
    """A value as Go's fmt prints it."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{printed(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(printed(item) for item in value) + "]"
    return float_text(value) if isinstance(value, float) else str(value)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, list):
            if not isinstance(key, int) or not 0 <= key < len(value):
                raise TemplateError(f"error calling index: reflect: slice index out of range: {key}")
            value = value[key]
        elif isinstance(value, dict):
            value = value.get(key, NO_VALUE)
        else:
            raise TemplateError("error calling index: index of untyped nil")
    return value


def _compare(test: Callable[[Any, Any], bool]) -> Callable[..., bool]:
    return lambda first, second: test(first, second)


def _printf(layout: str, *values: Any) -> str:
    rest = list(values)

    def one(match: re.Match[str]) -> str:
        if match[2] == "%":
            return "%"
        value = rest.pop(0) if rest else "%!(MISSING)"
        if match[2] == "q":
            return json.dumps(value)
        if match[2] in "dxXof" and not isinstance(value, str):
            return ("%" + match[1] + match[2]) % value
        text = text_of(value)
        return ("%" + match[1] + "s") % text

    return re.sub(r"%([-+ 0#]*\d*(?:\.\d+)?)([a-zA-Z%])", one, layout)


def _and(*values: Any) -> Any:
    return next((value for value in values if not truth(value)), values[-1])


def _or(*values: Any) -> Any:
    return next((value for value in values if truth(value)), values[-1])


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "and": _and,
    "base64decode": lambda text: base64.b64decode(text).decode(errors="replace"),
    "eq": lambda first, *others: any(first == other for other in others),
    "exists": lambda value, *keys: _index(value, *keys) is not NO_VALUE,
    "ge": _compare(lambda first, second: first >= second),
    "gt": _compare(lambda first, second: first > second),
    "index": _index,
    "le": _compare(lambda first, second: first <= second),
    "len": lambda value: len(value),
    "lt": _compare(lambda first, second: first < second),
    "ne": _compare(lambda first, second: first != second),
    "not": lambda value: not truth(value),
    "or": _or,
    "print": lambda *values: "".join(text_of(value) for value in values),
    "printf": _printf,
    "println": lambda *values: " ".join(text_of(value) for value in values) + "\n",
    "slice": lambda value, *bounds: value[slice(*bounds)],
}
