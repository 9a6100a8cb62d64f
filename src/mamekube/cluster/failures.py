"""How a command of the launcher fails: one line that says what, why and what to do, and minikube's exit code.

The codes follow `minikube`'s scheme: the tens say which part failed, the ones how.
"""

from __future__ import annotations

FAILURE = 1
INTERRUPTED = 2
USAGE = 14
HOST_ERROR = 30
HOST_NOT_FOUND = 35
NEEDS_ROOT = 57
NETWORK_ERROR = 70
NETWORK_CONFLICT = 71
GUEST_ERROR = 80
GUEST_CONFLICT = 81
GUEST_TIMEOUT = 82
GUEST_NOT_RUNNING = 83
GUEST_NOT_FOUND = 85
RUNTIME_ERROR = 90
CONTROL_PLANE_ERROR = 100
CONTROL_PLANE_TIMEOUT = 102
CONTROL_PLANE_NOT_RUNNING = 103
SERVICE_NOT_FOUND = 115
SERVICE_UNAVAILABLE = 119


class Failure(Exception):
    """A command cannot do what it was asked for. `advice` says what the user can do about it."""

    def __init__(self, code: int, text: str, *, advice: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.text}. {self.advice}" if self.advice else self.text
