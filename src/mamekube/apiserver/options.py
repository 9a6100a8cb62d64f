"""The options of a request, out of its query: what upstream calls ListOptions, DeleteOptions and the like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mamekube.apiserver.request import Request, parse_int
from mamekube.foundation.remembering import short_texts
from mamekube.objects import durations, fielderrors, selectors
from mamekube.objects.fielderrors import FieldError
from mamekube.objects.metadata_parts import FIELD_MANAGER_LENGTH_MAX, field_manager_errors
from mamekube.objects.resource import Resource
from mamekube.objects.selectors import FieldSelector, Selector
from mamekube.objects.status import bad_request, invalid

FIELD_VALIDATIONS = ("", "Ignore", "Strict", "Warn")
PROPAGATIONS = ("Foreground", "Background", "Orphan")
EXACT = "Exact"
NOT_OLDER_THAN = "NotOlderThan"
EVERY_FIELD = FieldSelector()


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """Of a create, an update or a patch."""

    dry_run: bool = False
    field_manager: str = ""
    """Never empty: the name asked for, or the user agent's."""
    field_validation: str = "Warn"
    force: bool = False
    asked: Mapping[str, Any] | None = None
    """The fields that the client named, as admission is shown them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOptions:
    dry_run: bool = False
    grace_period_s: int | None = None
    propagation: str = ""
    """`Background`, `Foreground`, `Orphan`, or `""` for the kind's own."""
    cascading: bool = False
    """Whether `orphanDependents` was false, the old way to ask for it, whose answer says that there is more to come."""
    uid: str | None = None
    revision: str | None = None
    asked: Mapping[str, Any] | None = None
    """The fields that the client named, as admission is shown them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """Of a list, a watch or a deletecollection."""

    labels: Selector = selectors.EVERYTHING
    fields: FieldSelector = EVERY_FIELD
    revision: str = ""
    revision_match: str = ""
    limit: int = 0
    continue_token: str = ""
    timeout_s: int = 0
    bookmarks: bool = False
    send_initial: bool | None = None


def parse_timeout_s(request: Request) -> float:
    """How long the client waits. Raises 400."""
    value = request.first("timeout")
    if not value:
        return 0.0
    try:
        return durations.parse_s(value)
    except ValueError as error:
        raise bad_request(f"invalid timeout specified in the request URL - {error}") from None


def parse_write(request: Request, kind: str) -> WriteOptions:
    """`kind` is CreateOptions, UpdateOptions or PatchOptions: what errors name."""
    user_agent_manager = manager_of(request.headers.get("User-Agent", ""))
    if not request.query:
        return WriteOptions(field_manager=user_agent_manager)
    return _write_options(request, kind, [], user_agent_manager)


def _write_options(
    request: Request, kind: str, errors: list[FieldError], user_agent_manager: str
) -> WriteOptions:
    """`errors`: what is wrong so far."""
    manager = request.first("fieldManager")
    dry_run = request.query.get("dryRun") or []
    validation = request.first("fieldValidation")
    errors += field_manager_errors(manager, "fieldManager") + _dry_run_errors(dry_run)
    if validation not in FIELD_VALIDATIONS:
        errors.append(fielderrors.not_supported("fieldValidation", validation, FIELD_VALIDATIONS))
    _raise(kind, errors)
    asked = {"dryRun": dry_run, "fieldManager": manager, "fieldValidation": validation}
    return WriteOptions(
        dry_run=bool(dry_run),
        field_manager=manager or user_agent_manager,
        field_validation=validation or "Warn",
        force=request.flag("force"),
        asked={key: value for key, value in asked.items() if value},
    )


def _dry_run_errors(dry_run: list[str]) -> list[FieldError]:
    if all(value == "All" for value in dry_run):
        return []
    return [fielderrors.not_supported("dryRun", dry_run, ["All"])]


def parse_patch(request: Request, *, apply: bool) -> WriteOptions:
    errors = []
    if apply and not request.first("fieldManager"):
        errors.append(fielderrors.required("fieldManager", "is required for apply patch"))
    if not apply and "force" in request.query:
        errors.append(fielderrors.forbidden("force", "may not be specified for non-apply patch"))
    manager = manager_of(request.headers.get("User-Agent", ""))
    return _write_options(request, "PatchOptions", errors, manager)


@short_texts(maxsize=256)
def manager_of(user_agent: str) -> str:
    """The field manager that a user agent stands for: what can be printed of that which precedes the first slash."""
    name = "".join(character for character in user_agent.partition("/")[0] if character.isprintable())
    return name.encode(errors="ignore")[:FIELD_MANAGER_LENGTH_MAX].decode(errors="ignore") or "unknown"


def parse_delete(request: Request, body: Mapping[str, Any] | None) -> DeleteOptions:
    """Out of the body, a DeleteOptions, where there is one; else out of the query."""
    source: dict[str, Any] = _delete_query(request) if body is None else dict(body)
    errors = []
    dry_run = source.get("dryRun") or []
    policy = source.get("propagationPolicy")
    orphan = source.get("orphanDependents")
    if policy is not None and orphan is not None:
        detail = "orphanDependents and deletionPropagation cannot be both set"
        errors.append(fielderrors.invalid("propagationPolicy", policy, detail))
    if policy is not None and policy not in PROPAGATIONS:
        errors.append(fielderrors.not_supported("propagationPolicy", policy, [*PROPAGATIONS, "nil"]))
    _raise("DeleteOptions", errors + _dry_run_errors(dry_run))
    if orphan is not None:
        policy = "Orphan" if orphan else "Background"
    # A negative period is read as one second, which ends in the next moment but goes the graceful way.
    grace = source.get("gracePeriodSeconds")
    if grace is not None and grace < 0:
        grace = source["gracePeriodSeconds"] = 1
    preconditions = source.get("preconditions") or {}
    return DeleteOptions(
        dry_run=bool(dry_run),
        grace_period_s=grace,
        propagation=policy or "",
        cascading=orphan is False,
        uid=preconditions.get("uid"),
        revision=preconditions.get("resourceVersion"),
        asked={key: source[key] for key in DELETE_FIELDS if source.get(key) not in (None, [], {})},
    )


DELETE_FIELDS = (
    "gracePeriodSeconds",
    "preconditions",
    "orphanDependents",
    "propagationPolicy",
    "dryRun",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
)


def _delete_query(request: Request) -> dict[str, Any]:
    if not request.query:
        return {}
    source: dict[str, Any] = {
        "dryRun": request.query.get("dryRun"),
        "gracePeriodSeconds": parse_int(request, "gracePeriodSeconds"),
    }
    if "propagationPolicy" in request.query:
        source["propagationPolicy"] = request.first("propagationPolicy")
    if "orphanDependents" in request.query:
        source["orphanDependents"] = request.flag("orphanDependents")
    return source


def parse_list(request: Request, *, watch: bool = False) -> ListOptions:
    if not request.query and not request.name:
        return ListOptions()
    send_initial = request.flag("sendInitialEvents") if "sendInitialEvents" in request.query else None
    options = ListOptions(
        labels=_labels(request.first("labelSelector")),
        fields=_fields(request.first("fieldSelector")),
        revision=request.first("resourceVersion"),
        revision_match=request.first("resourceVersionMatch"),
        timeout_s=parse_int(request, "timeoutSeconds") or 0,
        limit=max(parse_int(request, "limit") or 0, 0),
        continue_token=request.first("continue"),
        bookmarks=request.flag("allowWatchBookmarks"),
        send_initial=send_initial,
    )
    _raise("ListOptions", _watch_errors(options) if watch else _list_errors(options))
    return options


def _labels(text: str) -> Selector:
    if not text:
        return selectors.EVERYTHING
    try:
        return selectors.parse(text)
    except selectors.SelectorError as error:
        message = str(error)
        plain = message.startswith("found '") and message.endswith("expected: ',' or 'end of string'")
        raise bad_request(message if plain else f"unable to parse requirement: {message}") from None


def _fields(text: str) -> FieldSelector:
    if not text:
        return FieldSelector()
    try:
        return selectors.parse_fields(text)
    except selectors.SelectorError as error:
        raise bad_request(str(error)) from None


def _list_errors(options: ListOptions) -> list[FieldError]:
    errors = []
    match = options.revision_match
    if match and not options.revision:
        detail = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        errors.append(fielderrors.forbidden(MATCH_PATH, detail))
    if match and options.continue_token:
        errors.append(fielderrors.forbidden(MATCH_PATH, MATCH_AND_CONTINUE))
    if match not in (EXACT, NOT_OLDER_THAN, ""):
        errors.append(fielderrors.not_supported(MATCH_PATH, match, [EXACT, NOT_OLDER_THAN, ""]))
    if match == EXACT and options.revision == "0":
        detail = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        errors.append(fielderrors.forbidden(MATCH_PATH, detail))
    if options.send_initial is not None:
        errors.append(fielderrors.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return errors


MATCH_PATH = "resourceVersionMatch"
MATCH_AND_CONTINUE = "resourceVersionMatch is forbidden when continue is provided"


def _watch_errors(options: ListOptions) -> list[FieldError]:
    errors = []
    match = options.revision_match
    if options.send_initial is not None and match != NOT_OLDER_THAN:
        detail = f"sendInitialEvents requires setting resourceVersionMatch to {NOT_OLDER_THAN}"
        errors.append(fielderrors.forbidden(MATCH_PATH, detail))
    if match and options.send_initial is None:
        detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        errors.append(fielderrors.forbidden(MATCH_PATH, detail))
    if match and match != NOT_OLDER_THAN:
        errors.append(fielderrors.not_supported(MATCH_PATH, match, [NOT_OLDER_THAN]))
    if match and options.continue_token:
        errors.append(fielderrors.forbidden(MATCH_PATH, MATCH_AND_CONTINUE))
    return errors


def _raise(kind: str, errors: list[FieldError]) -> None:
    if errors:
        raise invalid(Resource(group="meta.k8s.io", version="v1", plural="", kind=kind), "", errors)


UINT64_DIGITS = 20


def parse_revision(text: str, *, where: str = "") -> int:
    """A resourceVersion as a number, 0 for none. Raises 400, with `where` at its head."""
    if not text:
        return 0
    digits = text.isascii() and text.isdecimal()
    if not digits or len(text.lstrip("0")) > UINT64_DIGITS or int(text) >= 2**64:
        why = "value out of range" if digits else "invalid syntax"
        error = fielderrors.invalid("resourceVersion", text, f'strconv.ParseUint: parsing "{text}": {why}')
        raise bad_request(f"{where}{error}")
    return int(text)
