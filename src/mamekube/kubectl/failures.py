"""How a kubectl command fails: a text for standard error, and an exit code."""

from __future__ import annotations

from typing import Any


class Failure(Exception):
    """Ends the command; `text` is printed as it is. `status` is the server's, where it was the server that refused."""

    def __init__(self, text: str, *, code: int = 1, status: dict[str, Any] | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.status = status or {}

    @property
    def reason(self) -> str:
        return str(self.status.get("reason", ""))

    @property
    def message(self) -> str:
        """What went wrong, without the words that go before it on a line of its own."""
        return str(self.status.get("message") or self.text.removeprefix("error: "))


def from_status(status: dict[str, Any]) -> Failure:
    """What kubectl prints for a Status that the server answered."""
    return Failure(_text(status), status=status)


def during(failure: Failure, doing: str) -> Failure:
    """The same failure, saying what it came of: `error when creating "FILE"`."""
    if failure.status:
        return from_status({**failure.status, "message": f"{doing}: {failure.message}"})
    return Failure(f"error: {doing}: {failure.message}", code=failure.code)


def _text(status: dict[str, Any]) -> str:
    message = status.get("message") or "unknown error"
    reason = status.get("reason", "")
    if reason == "Invalid":
        return _invalid(status, message)
    if reason == "Unauthorized":
        return (
            "error: You must be logged in to the server ("
            + (
                "the server has asked for the client to provide credentials"
                if message == "Unauthorized"
                else message
            )
            + ")"
        )
    if reason:
        return f"Error from server ({reason}): {message}"
    return f"Error from server: {message}"


def _invalid(status: dict[str, Any], message: str) -> str:
    details = status.get("details") or {}
    causes = details.get("causes") or []
    if not details:
        return f"The request is invalid: {message}"
    named = details.get("kind") or details.get("name")
    subject = (
        f'The {details.get("kind", "")} "{details.get("name", "")}" is invalid'
        if named
        else "The request is invalid"
    )
    texts = [
        f"{cause.get('field')}: {cause.get('message')}"
        if cause.get("field")
        else str(cause.get("message", ""))
        for cause in causes
    ]
    if not texts:
        return subject if named else f"{subject}: {message}"
    if len(texts) == 1:
        return f"{subject}: {texts[0]}"
    return f"{subject}: \n" + "\n".join(f"* {text}" for text in texts)
