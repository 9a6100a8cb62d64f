"""Tokens to a tree: CEL's grammar by recursive descent, macros included.

What upstream's parser refuses is refused here with the same place and, for the usual mistakes, the same words.
"""

from __future__ import annotations

from typing import NamedTuple

from mamekube.objects.cel.ast import (
    Call,
    Comprehension,
    Ident,
    ListLiteral,
    Literal,
    MapLiteral,
    MessageLiteral,
    Node,
    Select,
    dotted,
)
from mamekube.objects.cel.errors import CelCompileError
from mamekube.objects.cel.lexer import Token, number, tokenize
from mamekube.objects.cel.values import RESERVED_FIELDS

DEPTH_MAX = 100
"""Of nested expressions. Deeper ones would need more of Python's stack than there is; upstream stops at 250."""
CODE_POINTS_MAX = 100_000
"""Upstream's limit on the size of an expression."""

RESERVED = RESERVED_FIELDS | {"var", "void", "while"}
BINARY: dict[str, tuple[int, str]] = {
    "||": (1, "_||_"),
    "&&": (2, "_&&_"),
    **{sign: (3, f"_{sign}_") for sign in ("<", "<=", ">", ">=", "==", "!=")},
    "in": (3, "@in"),
    **{sign: (4, f"_{sign}_") for sign in "+-"},
    **{sign: (5, f"_{sign}_") for sign in "*/%"},
}
"""Precedence and function of the operators between two operands."""
LOGICAL = frozenset({"&&", "||"})
STARTS = (
    "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', "
    "NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
)

MACROS: dict[tuple[str, int], tuple[str, int]] = {
    ("all", 2): ("all", 1),
    ("all", 3): ("all", 2),
    ("exists", 2): ("exists", 1),
    ("exists", 3): ("exists", 2),
    ("exists_one", 2): ("existsOne", 1),
    ("existsOne", 2): ("existsOne", 1),
    ("existsOne", 3): ("existsOne", 2),
    ("filter", 2): ("filter", 1),
    ("map", 2): ("map", 1),
    ("map", 3): ("map", 1),
    ("transformList", 3): ("map", 2),
    ("transformList", 4): ("map", 2),
    ("transformMap", 3): ("transformMap", 2),
    ("transformMap", 4): ("transformMap", 2),
    ("transformMapEntry", 3): ("transformMapEntry", 2),
    ("transformMapEntry", 4): ("transformMapEntry", 2),
    ("sortBy", 2): ("sortBy", 1),
    ("optMap", 2): ("optMap", 1),
    ("optFlatMap", 2): ("optFlatMap", 1),
}
"""(name, number of arguments) -> (macro, how many of them name variables)"""


def parse(source: str, *, binds: bool = False) -> Node:
    """Raises CelCompileError. `binds`: whether `cel.bind(name, value, expression)` is known."""
    if len(source) > CODE_POINTS_MAX:
        text = f"expression code point size exceeds limit: size: {len(source)}, limit {CODE_POINTS_MAX}"
        raise CelCompileError("", [(0, text)])
    parser = _Parser(source, binds=binds)
    node = parser.expression()
    token = parser.peek
    if token.kind != "end":
        raise parser.error(token, f"Syntax error: {_unexpected(token)} expecting <EOF>", mismatch=True)
    return node


def _unexpected(token: Token) -> str:
    return f"mismatched input '{token.text}'"


class _Parser:
    def __init__(self, source: str, *, binds: bool = False) -> None:
        self.source = source
        self._binds = binds
        self._tokens = tokenize(source)
        self._position = 0
        self._depth = 0

    @property
    def peek(self) -> Token:
        return self._tokens[self._position]

    def error(self, token: Token, text: str, *, mismatch: bool = False) -> CelCompileError:
        if (
            mismatch
            and self._tokens[self._tokens.index(token) + 1 :][:1] == self._tokens[-1:]
            and token.kind not in ("literal", "ident")
        ):
            text = text.replace("mismatched input", "extraneous input", 1)
        return CelCompileError(self.source, [(token.pos, text)])

    def _take(self, kind: str) -> Token | None:
        token = self.peek
        if token.kind != kind:
            return None
        self._position += 1
        return token

    def _expect(self, kind: str) -> Token:
        token = self._take(kind)
        if token is None:
            wanted = "IDENTIFIER" if kind == "ident" else f"'{kind}'"
            found = self.peek
            raise self.error(found, f"Syntax error: mismatched input '{found.text}' expecting {wanted}")
        return token

    # Expressions, from the loosest binding to the tightest -----------------------------------------

    def expression(self) -> Node:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self.error(self.peek, f"expression recursion limit exceeded: {DEPTH_MAX}")
        node = self._operation()
        if question := self._take("?"):
            first = self._operation()
            self._expect(":")
            node = Call(pos=question.pos, function="_?_:_", args=[node, first, self.expression()])
        self._depth -= 1
        return node

    def _operation(self) -> Node:
        """Operands and the operators between them, by precedence. One loop for all of it: a function for each
        level of precedence would need nine of Python's frames for every pair of parentheses."""
        operands: list[Node | _Chain] = [self._unary()]
        signs: list[Token] = []
        while self.peek.kind in BINARY:
            sign = self.peek
            self._position += 1
            while signs and BINARY[signs[-1].kind][0] >= BINARY[sign.kind][0]:
                _reduce(operands, signs)
            signs.append(sign)
            operands.append(self._unary())
        while signs:
            _reduce(operands, signs)
        return _closed(operands[0])

    def _unary(self) -> Node:
        for sign, function in (("!", "!_"), ("-", "-_")):
            first = self.peek
            count = 0
            while self._take(sign):
                count += 1
            if not count:
                continue
            after = self.peek
            if sign == "-" and after.kind == "literal" and after.text[0] in "0123456789.":
                self._position += 1
                if after.text[-1] not in "uU" or after.text[:2] == "0x":
                    literal: Node = Literal(pos=first.pos, value=number(self.source, after, negative=True))
                    count -= 1
                else:
                    literal = Literal(pos=after.pos, value=number(self.source, after))
                operand = self._postfix(literal)
            else:
                operand = self._member()
            return Call(pos=first.pos, function=function, args=[operand]) if count % 2 else operand
        return self._member()

    def _member(self) -> Node:
        return self._postfix(self._primary())

    def _postfix(self, node: Node) -> Node:
        length = 0
        while True:
            length += 1
            if length > DEPTH_MAX:
                raise self.error(self.peek, f"expression recursion limit exceeded: {DEPTH_MAX}")
            if dot := self._take("."):
                optional = self._take("?") is not None
                name = self._expect("ident")
                opening = None if optional else self._take("(")
                if opening:
                    node = self._member_call(node, name, opening, self._arguments(")"))
                else:
                    node = Select(pos=dot.pos, operand=node, name=name.text, optional=optional)
            elif bracket := self._take("["):
                function = "_[?_]" if self._take("?") else "_[_]"
                index = self.expression()
                self._expect("]")
                node = Call(pos=bracket.pos, function=function, args=[node, index])
            elif self.peek.kind == "{" and (name_text := dotted(node)):
                node = self._message(name_text)
            else:
                return node

    def _primary(self) -> Node:
        token = self.peek
        self._position += 1
        kind = token.kind
        if kind == "literal":
            if isinstance(token.value, str) and token.text[0] in "0123456789.":
                return Literal(pos=token.pos, value=number(self.source, token))
            return Literal(pos=token.pos, value=token.value)
        if kind in ("true", "false", "null"):
            return Literal(pos=token.pos, value={"true": True, "false": False, "null": None}[kind])
        if kind in ("ident", "."):
            return self._named(token)
        if kind == "(":
            node = self.expression()
            self._expect(")")
            return node
        if kind == "[":
            elements, optional = self._elements()
            return ListLiteral(pos=token.pos, elements=elements, optional=optional)
        if kind == "{":
            return self._map(token)
        raise self.error(token, f"Syntax error: {_unexpected(token)} expecting {STARTS}", mismatch=True)

    def _named(self, token: Token) -> Node:
        name = self._expect("ident") if token.kind == "." else token
        if name.text in RESERVED:
            raise self.error(name, f"reserved identifier: {name.text}")
        if opening := self._take("("):
            return self._global_call(name, opening, self._arguments(")"))
        return Ident(pos=name.pos, name=name.text)

    # Pieces ----------------------------------------------------------------------------------------

    def _arguments(self, closing: str) -> list[Node]:
        found: list[Node] = []
        if self._take(closing):
            return found
        while True:
            found.append(self.expression())
            if not self._take(","):
                self._expect(closing)
                return found

    def _elements(self) -> tuple[list[Node], frozenset[int]]:
        elements: list[Node] = []
        optional: set[int] = set()
        while not self._take("]"):
            if self._take("?"):
                optional.add(len(elements))
            elements.append(self.expression())
            if not self._take(","):
                self._expect("]")
                break
        return elements, frozenset(optional)

    def _map(self, opening: Token) -> Node:
        entries: list[tuple[Node, Node]] = []
        optional: set[int] = set()
        while not self._take("}"):
            if self._take("?"):
                optional.add(len(entries))
            key = self.expression()
            self._expect(":")
            entries.append((key, self.expression()))
            if not self._take(","):
                self._expect("}")
                break
        return MapLiteral(pos=opening.pos, entries=entries, optional=frozenset(optional))

    def _message(self, name: str) -> Node:
        opening = self._expect("{")
        entries: list[tuple[str, Node]] = []
        optional: set[int] = set()
        while not self._take("}"):
            if self._take("?"):
                optional.add(len(entries))
            field = self._expect("ident")
            self._expect(":")
            entries.append((field.text, self.expression()))
            if not self._take(","):
                self._expect("}")
                break
        return MessageLiteral(pos=opening.pos, name=name, entries=entries, optional=frozenset(optional))

    # Macros ----------------------------------------------------------------------------------------

    def _global_call(self, name: Token, opening: Token, arguments: list[Node]) -> Node:
        if name.text == "has" and len(arguments) == 1:
            tested = arguments[0]
            if not isinstance(tested, Select) or tested.optional:
                raise CelCompileError(self.source, [(opening.pos, "invalid argument to has() macro")])
            return Select(pos=opening.pos, operand=tested.operand, name=tested.name, test=True)
        return Call(pos=opening.pos, function=name.text, args=arguments)

    def _member_call(self, target: Node, name: Token, opening: Token, arguments: list[Node]) -> Node:
        if self._binds and name.text == "bind" and dotted(target) == "cel" and len(arguments) == 3:
            return self._bind(opening, arguments)
        macro = MACROS.get((name.text, len(arguments)))
        if macro is None:
            return Call(pos=opening.pos, function=name.text, args=arguments, target=target)
        kind, count = macro
        variables: list[str] = []
        for argument in arguments[:count]:
            if not isinstance(argument, Ident):
                raise CelCompileError(self.source, [(argument.pos, "argument must be a simple name")])
            variables.append(argument.name)
        if len(set(variables)) < count:
            raise CelCompileError(
                self.source, [(opening.pos, f"duplicate variable names: {variables[0]}, {variables[1]}")]
            )
        return Comprehension(
            pos=opening.pos, macro=kind, range=target, variables=tuple(variables), parts=arguments[count:]
        )

    def _bind(self, opening: Token, arguments: list[Node]) -> Node:
        name, value, body = arguments
        if not isinstance(name, Ident):
            text = "cel.bind() variable names must be simple identifiers"
            raise CelCompileError(self.source, [(name.pos, text)])
        return Comprehension(pos=opening.pos, macro="bind", range=value, variables=(name.name,), parts=[body])


class _Chain(NamedTuple):
    """`a && b && c`, which may go on."""

    function: str
    terms: list[Node]
    signs: list[Token]


def _reduce(operands: list[Node | _Chain], signs: list[Token]) -> None:
    """Put the last operator and its two operands together."""
    sign, right, left = signs.pop(), operands.pop(), operands.pop()
    function = BINARY[sign.kind][1]
    if sign.kind not in LOGICAL:
        operands.append(Call(pos=sign.pos, function=function, args=[_closed(left), _closed(right)]))
    elif isinstance(left, _Chain) and left.function == function:
        operands.append(_Chain(function, [*left.terms, _closed(right)], [*left.signs, sign]))
    else:
        operands.append(_Chain(function, [_closed(left), _closed(right)], [sign]))


def _closed(operand: Node | _Chain) -> Node:
    return _balanced(*operand) if isinstance(operand, _Chain) else operand


def _balanced(function: str, terms: list[Node], signs: list[Token]) -> Node:
    """A tree as flat as can be: a thousand terms are no thousand levels."""
    if len(terms) == 1:
        return terms[0]
    middle = (len(terms) + 1) // 2
    left = _balanced(function, terms[:middle], signs[: middle - 1])
    right = _balanced(function, terms[middle:], signs[middle:])
    return Call(pos=signs[middle - 1].pos, function=function, args=[left, right])
