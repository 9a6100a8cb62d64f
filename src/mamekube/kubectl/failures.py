"""How a kubectl command fails: a text for standard error, and an exit code."""

from __future__ import annotations

from typing import Any


class Failure(Exception):
    """Ends the command; `text` is printed as it is."""

    def __init__(self, text: str, *, code: int = 1) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


def from_status(status: dict[str, Any]) -> Failure:
    """What kubectl prints for a Status that the server answered."""
    message = status.get("message") or "unknown error"
    reason = status.get("reason", "")
    if reason == "Invalid":
        return Failure(_invalid(status, message))
    if reason == "Unauthorized":
        return Failure(
            "error: You must be logged in to the server ("
            + (
                "the server has asked for the client to provide credentials"
                if message == "Unauthorized"
                else message
            )
            + ")"
        )
    if reason:
        return Failure(f"Error from server ({reason}): {message}")
    return Failure(f"Error from server: {message}")


def _invalid(status: dict[str, Any], message: str) -> str:
    details = status.get("details") or {}
    causes = details.get("causes") or []
    if not details:
        return f"The request is invalid: {message}"
    subject = f'The {details.get("kind", "")} "{details.get("name", "")}" is invalid'
    texts = [
        f"{cause.get('field')}: {cause.get('message')}" if cause.get("field") else cause["message"]
        for cause in causes
    ]
    if not texts:
        return subject
    if len(texts) == 1:
        return f"{subject}: {texts[0]}"
    return f"{subject}: \n" + "\n".join(f"* {text}" for text in texts)
