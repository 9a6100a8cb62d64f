"""Regular expressions, as Go's: RE2, which takes time in proportion to the text whatever the expression is.

Values in requests are matched against what a policy says, so a backtracking engine would let any user stop the server.
"""

from __future__ import annotations

from typing import Any

from mamekube.foundation.remembering import short_texts
from mamekube.objects.cel.errors import EvaluationError


@short_texts(maxsize=1024, characters_max=4096)
def compile_pattern(pattern: str) -> Any:
    """Raises EvaluationError with the words of Go's RE2."""
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        text = error.args[0] if error.args else error
        what, _, where = (text.decode() if isinstance(text, bytes) else str(text)).partition(": ")
        raise EvaluationError(f"error parsing regexp: {_GO_WORDS.get(what, what)}: `{where}`") from None


_GO_WORDS = {
    "bad repetition operator": "invalid nested repetition operator",
    "invalid named capture group": "invalid named capture",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid repetition size": "invalid repeat count",
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "no argument for repetition operator": "missing argument to repetition operator",
    "trailing \\": "trailing backslash at end of expression",
}
