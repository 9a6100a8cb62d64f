"""How two objects differ, for people: what follows a message that something may not change."""

from __future__ import annotations

import json
from typing import Any


def text(new: Any, old: Any) -> str:
    """A unified difference of both as indented JSON. `-` lines are the new object's, as upstream has it."""
    from difflib import unified_diff

    before, after = (json.dumps(value, indent=2, sort_keys=True).splitlines() for value in (new, old))
    lines = unified_diff(before, after, lineterm="")
    return "\n".join(line for line in lines if line[:3] not in ("---", "+++"))
