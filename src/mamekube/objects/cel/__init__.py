"""CEL: the expressions of policies, custom resource rules and match conditions.

`compile` checks an expression against what may stand in it; `Program.evaluate` gives its value for some bindings
and spends from a budget, so that no expression can keep the server busy. Both are pure.
Parser, checker and functions are imported with the first expression, since most clusters have none. See docs/cel.md.
"""

from mamekube.objects.cel.budget import Budget
from mamekube.objects.cel.errors import CelBudgetExceeded, CelCompileError, CelError, EvaluationError
from mamekube.objects.cel.program import PER_CALL_LIMIT, Program, compile, estimate
from mamekube.objects.cel.values import type_name

__all__ = [
    "PER_CALL_LIMIT",
    "Budget",
    "CelBudgetExceeded",
    "CelCompileError",
    "CelError",
    "EvaluationError",
    "Program",
    "compile",
    "estimate",
    "type_name",
]
