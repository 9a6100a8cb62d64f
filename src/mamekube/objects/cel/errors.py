"""What can go wrong with an expression: it does not compile, it fails on these values, it costs too much."""

from __future__ import annotations


class CelError(Exception):
    """An expression that cannot be compiled or has no value. Its text is what upstream shows to users."""


class CelCompileError(CelError):
    """`issues` has every mistake that was found, as (offset in the expression, text)."""

    step = "compilation failed"
    """What upstream puts before the text."""

    def __init__(self, source: str, issues: list[tuple[int, str]]) -> None:
        self.issues = issues
        super().__init__("\n".join(located(source, offset, text) for offset, text in issues))


class CelProgramError(CelCompileError):
    """An expression that is well formed and cannot be made ready to run: a text in it is no regular expression."""

    step = "program instantiation failed"

    def __init__(self, text: str) -> None:
        self.issues = []
        CelError.__init__(self, text)


class EvaluationError(CelError):
    """An expression that has no value for these bindings. `&&`, `||` and macros may absorb it, as CEL says."""


class CelBudgetExceeded(CelError):
    """The expression was stopped: it cost more than it may."""

    def __init__(self, message: str = "operation cancelled: actual cost limit exceeded") -> None:
        super().__init__(message)


def located(source: str, offset: int, text: str) -> str:
    """The error with its place, as cel-go prints it."""
    before = source[:offset]
    line = before.count("\n")
    column = len(before) - (before.rfind("\n") + 1)
    shown = source.split("\n")[line] if source else ""
    return f"ERROR: <input>:{line + 1}:{column + 1}: {text}\n | {shown}\n | {'.' * column}^"
