"""Regular expressions, as Go's: RE2, which takes time in proportion to the text whatever the expression is.

Values in requests are matched against what a policy says, so a backtracking engine would let any user stop the server.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from mamekube.objects.cel.errors import EvaluationError


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> Any:
    """Raises EvaluationError with RE2's words."""
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        text = error.args[0] if error.args else error
        shown = text.decode() if isinstance(text, bytes) else str(text)
        raise EvaluationError(f"error parsing regexp: {shown}") from None
