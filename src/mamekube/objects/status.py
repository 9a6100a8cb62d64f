"""`metav1.Status`, and the one exception that carries it: what every refused request ends in.

Reasons, codes and wording are apimachinery's (`api/errors`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mamekube.objects.fielderrors import FieldError, summary
from mamekube.objects.resource import Resource


class StatusError(Exception):
    """A refused request. `status` is the Status object that the client reads."""

    def __init__(
        self, code: int, reason: str, message: str, *, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}
        self._shows_details = details is not None

    @property
    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details or self._shows_details:
            status["details"] = self.details
        status["code"] = self.code
        return status

    @property
    def retry_after_s(self) -> int:
        return int(self.details.get("retryAfterSeconds", 0))

    @classmethod
    def from_status(cls, status: dict[str, Any]) -> StatusError:
        """The error that a Status read from the wire stands for."""
        return cls(
            int(status.get("code") or 500),
            status.get("reason", ""),
            status.get("message", ""),
            details=status.get("details"),
        )


def is_reason(error: BaseException, *reasons: str) -> bool:
    """Whether `error` is a StatusError with one of these reasons."""
    return isinstance(error, StatusError) and error.reason in reasons


def success(details: dict[str, Any] | None = None) -> dict[str, Any]:
    """The Status of a delete that removed its object."""
    status: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details:
        status["details"] = details
    return status


def named(resource: Resource, name: str) -> dict[str, Any]:
    details: dict[str, Any] = {"name": name} if name else {}
    if resource.group:
        details["group"] = resource.group
    details["kind"] = resource.plural
    return details


def not_found(resource: Resource, name: str) -> StatusError:
    return StatusError(
        404, "NotFound", f'{resource.group_resource} "{name}" not found', details=named(resource, name)
    )


def already_exists(resource: Resource, name: str) -> StatusError:
    return StatusError(
        409,
        "AlreadyExists",
        f'{resource.group_resource} "{name}" already exists',
        details=named(resource, name),
    )


STALE = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(resource: Resource, name: str, why: str = STALE) -> StatusError:
    return StatusError(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {resource.group_resource} "{name}": {why}',
        details=named(resource, name),
    )


def invalid(resource: Resource, name: str, errors: Sequence[FieldError]) -> StatusError:
    """422 with one cause per field error. Details name the kind here, not the plural, as upstream's do."""
    details: dict[str, Any] = {"name": name} if name else {}
    if resource.group:
        details["group"] = resource.group
    details["kind"] = resource.kind
    details["causes"] = [
        {"reason": error.reason, "message": error.message, "field": error.field} for error in errors
    ]
    message = f'{resource.group_kind} "{name}" is invalid: {summary(errors)}'
    return StatusError(422, "Invalid", message, details=details)


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def unauthorized(message: str = "Unauthorized") -> StatusError:
    return StatusError(401, "Unauthorized", message)


def forbidden(resource: Resource, name: str, why: str) -> StatusError:
    subject = f'{resource.group_resource} "{name}"' if name else resource.group_resource
    return StatusError(403, "Forbidden", f"{subject} is forbidden: {why}", details=named(resource, name))


def method_not_supported(resource: Resource, verb: str) -> StatusError:
    return StatusError(
        405,
        "MethodNotAllowed",
        f'{verb} is not supported on resources of kind "{resource.group_resource}"',
        details=named(resource, ""),
    )


def not_acceptable(accepted: Sequence[str]) -> StatusError:
    return StatusError(
        406,
        "NotAcceptable",
        "only the following media types are accepted: " + ", ".join(accepted),
    )


def unsupported_media_type(accepted: Sequence[str]) -> StatusError:
    return StatusError(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(accepted),
    )


def expired(message: str) -> StatusError:
    """410: the resourceVersion or continue token is too old. The client lists again."""
    return StatusError(410, "Expired", message)


def too_large(message: str) -> StatusError:
    return StatusError(413, "RequestEntityTooLarge", message)


def too_many_requests(
    message: str, *, retry_after_s: int = 1, details: dict[str, Any] | None = None
) -> StatusError:
    return StatusError(
        429, "TooManyRequests", message, details={**(details or {}), "retryAfterSeconds": retry_after_s}
    )


def timeout(message: str, *, retry_after_s: int = 0) -> StatusError:
    details = {"retryAfterSeconds": retry_after_s} if retry_after_s else {}
    return StatusError(504, "Timeout", message, details=details)


def unavailable(message: str) -> StatusError:
    return StatusError(503, "ServiceUnavailable", message)


def internal_error(message: str) -> StatusError:
    return StatusError(
        500,
        "InternalError",
        f"Internal error occurred: {message}",
        details={"causes": [{"message": message}]},
    )
