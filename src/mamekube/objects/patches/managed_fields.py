"""Who owns which field: `metadata.managedFields`, kept on every write, and server-side apply on top of it.

`track_update` belongs to every create, update and patch: the manager owns what the write changed. `apply_patch` is
server-side apply: the manager states all it wants, conflicts with others are refused or forced, and what it no
longer states is removed. Rules, order and wording are apimachinery's (`util/managedfields`) and
structured-merge-diff's.

A set is one of paths in the version of its entry, so what a write means to a manager is found in that manager's
version. Converting an object may need a webhook, so the functions that need it are generators: they yield what they
want (`Wanted`) and are sent a `View`, or None for a version that is no more, whose managers are dropped. Objects with
managers of one version, which are almost all, want nothing. Nothing given is changed; results share what stayed.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

import orjson

from mamekube.foundation.clock import parse_time
from mamekube.objects.meta import Object, metadata
from mamekube.objects.patches import field_sets, typed
from mamekube.objects.patches.field_sets import FieldSet
from mamekube.objects.patches.typed_validation import problems
from mamekube.objects.schema import UNTYPED, Schema
from mamekube.objects.status import StatusError, bad_request

UPDATE = "Update"
APPLY = "Apply"

BEFORE_FIRST_APPLY = "before-first-apply"
ANCIENT_CHANGES = "ancient-changes"
UPDATERS_MAX = 10
"""Update managers of one object. Upstream: DefaultMaxUpdateManagers; older ones are merged into one entry."""

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
ANNOTATIONS_BYTES_MAX = 256 * 1024
"""Of all annotations. Upstream: TotalAnnotationSizeLimitB; a text that makes them longer is not kept."""

CLEARED: tuple[list[Object], ...] = ([], [{}])
"""What a client sends for an object whose owners shall be forgotten, and not be noted until somebody applies it."""

TEMPLATES_MAX = 200
TEMPLATE_BYTES_MAX = 8 * 1024
"""Together: less than 2 MB for the new objects whose fields are remembered."""

UNOWNED_METADATA = frozenset(
    {
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    }
)
_UNOWNED: FieldSet = {
    "f:apiVersion": field_sets.LEAF,
    "f:kind": field_sets.LEAF,
    "f:metadata": {
        field_sets.SELF: field_sets.LEAF,
        **{"f:" + name: field_sets.LEAF for name in UNOWNED_METADATA},
    },
}
_UNTRACKED = ("apiVersion", "kind", "metadata")
_NOTHING: FieldSet = {}


class Identity(NamedTuple):
    """What makes two entries one manager's. Appliers keep theirs across versions, so theirs has none."""

    manager: str
    operation: str
    api_version: str
    subresource: str

    def __str__(self) -> str:
        text = orjson.dumps(self.manager).decode()
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return f"{text} using {self.api_version}" if self.operation == UPDATE else text


class Entry(NamedTuple):
    """One manager's set: of which version, and since when it is so."""

    fields: FieldSet
    api_version: str
    time: str


Managers = dict[Identity, Entry]


class Wanted(NamedTuple):
    """Objects to be converted, none of which has managed fields."""

    objects: Sequence[Object]
    api_version: str


class View(NamedTuple):
    """These objects in that version, and its schema."""

    objects: Sequence[Object]
    schema: Schema


T = TypeVar("T")
Steps: TypeAlias = Generator[Wanted, View | None, T]
Changes: TypeAlias = Mapping[str, tuple[FieldSet, FieldSet] | None]
"""By version: what a write changed and what it removed; None where there is no such version any more."""


def finished(steps: Steps[T]) -> T:
    """The outcome where there is nobody to convert: other versions are as good as gone."""
    try:
        next(steps)
        while True:
            steps.send(None)
    except StopIteration as done:
        outcome: T = done.value
        return outcome


# Entries on the wire ------------------------------------------------------------------------------------


def decode(entries: Any) -> Managers | None:
    """The managers of a `managedFields` list; None where it is not one."""
    managers: Managers = {}
    if not isinstance(entries, list):
        return None
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("operation") not in (UPDATE, APPLY):
            return None
        fields = entry.get("fieldsV1") or {}
        if entry.get("fieldsType") != "FieldsV1" or not field_sets.is_valid(fields):
            return None
        version = entry.get("apiVersion", "")
        operation = entry["operation"]
        identity = Identity(
            entry.get("manager", ""),
            operation,
            "" if operation == APPLY else version,
            entry.get("subresource", ""),
        )
        managers[identity] = Entry(fields, version, entry.get("time", ""))
    return managers


def problem_with(entries: Any) -> str:
    """Why it is no `managedFields` list, empty where it is one."""
    if not isinstance(entries, list):
        return "the list is none"
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or entry.get("operation") not in (UPDATE, APPLY):
            return "operation must be `Apply` or `Update`"
        if not entry.get("apiVersion"):
            return "apiVersion must not be empty"
        if not entry.get("fieldsType"):
            return f"missing fieldsType in managed fields entry {index}"
        if entry["fieldsType"] != "FieldsV1":
            return f'invalid fieldsType "{entry["fieldsType"]}" in managed fields entry {index}'
        if not field_sets.is_valid(entry.get("fieldsV1") or {}):
            return f"error decoding versioned set from managed fields entry {index}"
    return ""


def _trusted(entries: Sequence[Mapping[str, Any]]) -> Managers:
    """As `decode`, for entries that this module wrote."""
    return {
        Identity(
            entry.get("manager", ""),
            entry["operation"],
            "" if entry["operation"] == APPLY else entry["apiVersion"],
            entry.get("subresource", ""),
        ): Entry(entry.get("fieldsV1") or {}, entry["apiVersion"], entry.get("time", ""))
        for entry in entries
    }


def encode(managers: Managers) -> list[dict[str, Any]]:
    """The `managedFields` list."""
    entries = []
    for identity, entry in managers.items():
        wire: dict[str, Any] = {
            "manager": identity.manager,
            "operation": identity.operation,
            "apiVersion": entry.api_version,
        }
        if entry.time:
            wire["time"] = entry.time
        wire["fieldsType"] = "FieldsV1"
        wire["fieldsV1"] = entry.fields
        if identity.subresource:
            wire["subresource"] = identity.subresource
        entries.append(wire)
    return ordered(entries) if len(entries) > 1 else entries


def ordered(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Appliers first, then by time, manager, version and subresource."""
    return sorted(
        entries,
        key=lambda wire: (
            wire["operation"],
            _seconds(wire.get("time", "")),
            wire["manager"],
            wire["apiVersion"],
            wire.get("subresource", ""),
        ),
    )


def _seconds(time: str) -> int:
    try:
        return int(parse_time(time)) if time else 0
    except ValueError:
        return 0


def _with_managers(obj: Object, managers: Managers) -> Object:
    entries = encode(managers)
    meta = dict(metadata(obj))
    if entries:
        meta["managedFields"] = entries
    else:
        meta.pop("managedFields", None)
    return {**obj, "metadata": meta}


# Every write --------------------------------------------------------------------------------------------


def track_update(
    old: Object | None,
    new: Object,
    schema: Schema,
    *,
    manager: str,
    time: str,
    subresource: str = "",
    ignored: tuple[tuple[str, ...], ...] = (),
) -> Steps[Object]:
    """`new` with the managedFields that follow from it, `old` being the stored object (None: a create).

    `time` is now as `metav1.Time`. `ignored` are field paths that the request cannot write, such as
    `("status",)`. Call it on the defaulted object before admission, as upstream does: what admission adds
    belongs to nobody. An object whose managedFields were cleared stays without until it is applied.
    """
    managers = _starting_managers(old, new, in_subresource=bool(subresource))
    version = new.get("apiVersion", "")
    identity = Identity(manager, UPDATE, version, subresource)
    if not managers:
        if old is not None:
            return _with_managers(new, {}) if "managedFields" in metadata(new) else new
        fields = _all_new(schema, new, ignored)
        return _with_managers(new, {identity: Entry(fields, version, time)} if fields else {})
    changed, removed = (
        _differences(schema, old, new, ignored)
        if old is not None
        else (_all_new(schema, new, ignored), _NOTHING)
    )
    changes: dict[str, tuple[FieldSet, FieldSet] | None] = {version: (changed, removed)}
    if changed or removed:
        yield from _changes_elsewhere(changes, managers, old, new, identity, ignored)
    elif old is not None:
        stored = metadata(old).get("managedFields")
        if metadata(new).get("managedFields") == stored:
            return new
        return _with_managers(new, managers)
    return _with_managers(new, _claim(managers, identity, changes, time=time))


def _changes_elsewhere(
    changes: dict[str, tuple[FieldSet, FieldSet] | None],
    managers: Managers,
    old: Object | None,
    new: Object,
    mine: Identity,
    ignored: tuple[tuple[str, ...], ...],
) -> Steps[None]:
    """Fill in what the write changes in the versions of the other managers."""
    objects: list[Object] = []
    for identity, entry in managers.items():
        version = entry.api_version
        if identity == mine or version in changes:
            continue
        objects = objects or [_without_managers(obj) for obj in (old, new) if obj is not None]
        view = yield Wanted(objects, version)
        if view is None:
            changes[version] = None
            continue
        before = view.objects[0] if old is not None else {}
        changes[version] = _differences(view.schema, before, view.objects[-1], ignored)


def _starting_managers(old: Object | None, new: Object, *, in_subresource: bool) -> Managers:
    """The managers before the write: those the request gives, if it gives any that can be read, or the stored."""
    stored = metadata(old).get("managedFields") if old else None
    given = metadata(new).get("managedFields")
    if not in_subresource and given is not None and given is not stored and given != stored:
        if given in CLEARED:
            return {}
        managers = decode(given)
        if managers:
            return managers
    return _trusted(stored) if stored else {}


def _differences(
    schema: Schema, old: Object, new: Object, ignored: tuple[tuple[str, ...], ...]
) -> tuple[FieldSet, FieldSet]:
    """What changed and was removed, without what nobody may own."""
    changed, removed = typed.compare(schema, _owned_parts(old), _owned_parts(new))
    below_changed, below_removed = _metadata_differences(schema, metadata(old), metadata(new))
    if below_changed:
        changed["f:metadata"] = below_changed
    if below_removed:
        removed["f:metadata"] = below_removed
    if ignored:
        mask = field_sets.of_paths(ignored)
        changed = field_sets.difference_below(changed, mask)
        removed = field_sets.difference_below(removed, mask)
    return changed, removed


def _all_new(schema: Schema, new: Object, ignored: tuple[tuple[str, ...], ...]) -> FieldSet:
    """The fields of a new object. Objects made from one template have the same: pods come by the hundred."""
    parts = _owned_parts(new), _owned_metadata(metadata(new))
    try:
        key = schema, ignored, orjson.dumps(parts)
    except orjson.JSONEncodeError:  # nested too deep; whoever encodes it for the store says so
        return _differences(schema, {}, new, ignored)[0]
    found = _fields_of_new.get(key)
    if found is None:
        found = _differences(schema, {}, new, ignored)[0]
        if len(key[2]) <= TEMPLATE_BYTES_MAX:
            if len(_fields_of_new) >= TEMPLATES_MAX:
                _fields_of_new.clear()
            _fields_of_new[key] = found
    return found


_fields_of_new: dict[tuple[Schema, tuple[tuple[str, ...], ...], bytes], FieldSet] = {}


def _owned_parts(obj: Object) -> Object:
    return {key: value for key, value in obj.items() if key not in _UNTRACKED}


def _metadata_differences(
    schema: Schema, old: Mapping[str, Any], new: Mapping[str, Any]
) -> tuple[FieldSet, FieldSet]:
    return typed.compare(schema.child("metadata") or UNTYPED, _owned_metadata(old), _owned_metadata(new))


def _owned_metadata(meta: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in meta.items() if key not in UNOWNED_METADATA}


def _claim(managers: Managers, identity: Identity, changes: Changes, *, time: str) -> Managers:
    """The managers after one of them wrote: it owns what changed, the others lose that and what was removed."""
    result: Managers = {}
    before = managers.get(identity)
    for other, entry in managers.items():
        change = changes[entry.api_version] if other != identity else None
        if change is not None:
            fields = field_sets.difference(field_sets.difference(entry.fields, change[0]), change[1])
            if fields:
                result[other] = entry if fields is entry.fields else entry._replace(fields=fields)
    changed, removed = changes[identity.api_version] or ({}, {})
    kept = field_sets.difference(before.fields, removed) if before else {}
    mine = field_sets.union(kept, changed)
    if mine:
        # A new value counts as much as a new field: the time moves even if the set stays.
        when = time if changed or before is None else before.time
        result[identity] = Entry(mine, identity.api_version, when)
    return _capped(result)


def _capped(managers: Managers) -> Managers:
    """At most `UPDATERS_MAX` update managers; the oldest of each version are merged into one."""
    updaters = [identity for identity in managers if identity.operation == UPDATE]
    excess = len(updaters) - UPDATERS_MAX
    if excess <= 0:
        return managers
    updaters.sort(key=lambda identity: (_seconds(managers[identity].time), identity))
    firsts: dict[str, Identity] = {}
    merged: dict[Identity, tuple[list[FieldSet], str]] = {}
    """The sets of what becomes one entry, and the time of the newest."""
    for identity in updaters:
        if excess <= 0:
            break
        version = identity.api_version
        first = firsts.setdefault(version, identity)
        if first is identity:
            continue
        bucket = Identity(ANCIENT_CHANGES, UPDATE, version, "")
        if bucket not in merged:
            oldest = managers.pop(bucket if bucket in managers else first)
            merged[bucket] = [oldest.fields], oldest.time
        if identity != bucket:
            entry = managers.pop(identity)
            sets, _ = merged[bucket]
            sets.append(entry.fields)
            merged[bucket] = sets, entry.time
        excess -= 1
    for bucket, (sets, time) in merged.items():
        managers[bucket] = Entry(field_sets.union_all(sets), bucket.api_version, time)
    return managers


# Server-side apply --------------------------------------------------------------------------------------


def apply_patch(
    live: Object | None,
    applied: Object,
    schema: Schema,
    *,
    manager: str,
    force: bool,
    time: str,
    subresource: str = "",
    ignored: tuple[tuple[str, ...], ...] = (),
) -> Steps[Object]:
    """The object that server-side apply makes of `live` (None: it does not exist yet) and `applied`.

    Its managedFields are complete: `track_update` is not called for an apply. Where nothing changes the stored
    object's content comes back equal. Raises StatusError: 409 with one cause per conflict, 400 for a patch that
    has managedFields itself, 500 for one that does not fit the schema (upstream's codes).
    """
    _check_applied(applied, schema)
    if live is None:
        live = {"apiVersion": applied.get("apiVersion"), "kind": applied.get("kind"), "metadata": {}}
    managers = decode(metadata(live).get("managedFields") or [])
    if managers is None:
        raise StatusError(500, "", "failed to decode managed fields")
    if not managers:
        changed, removed = _differences(schema, {}, live, ignored)
        before = Identity(BEFORE_FIRST_APPLY, UPDATE, applied.get("apiVersion", ""), "")
        managers = _claim({}, before, {before.api_version: (changed, removed)}, time=time)
    call = _Apply(live, applied, schema, Identity(manager, APPLY, "", subresource), time, ignored)
    try:
        result = yield from call.run(managers, force=force)
    except _Conflicts as conflicts:
        if manager == "kubectl":
            conflicts.sets = _not_from_last_applied(conflicts.sets, live, schema)
        if conflicts.sets:
            raise conflict(conflicts.sets) from None
        result = yield from call.run(managers, force=True)
    return _with_last_applied(result, applied) if manager == "kubectl" else result


def conflict(sets: Mapping[Identity, FieldSet]) -> StatusError:
    """409 with a cause for each field that another manager holds."""
    found: dict[str, list[str]] = {}
    for identity in sorted(sets, key=str):
        found.setdefault(str(identity), []).extend(field_sets.paths_of(sets[identity]))
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": path}
        for who, paths in found.items()
        for path in paths
    ]
    if len(causes) == 1:
        message = f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        lines: list[str] = []
        for who, paths in found.items():
            lines.append(f"conflicts with {who}:")
            lines += [f"- {path}" for path in paths]
        message = f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines)
    return StatusError(409, "Conflict", message, details={"causes": causes})


class _Conflicts(Exception):
    def __init__(self, sets: dict[Identity, FieldSet]) -> None:
        super().__init__()
        self.sets = sets


class _Apply(NamedTuple):
    """One apply, which may have to be tried again with force."""

    live: Object
    applied: Object
    schema: Schema
    identity: Identity
    time: str
    ignored: tuple[tuple[str, ...], ...]

    def run(self, managers: Managers, *, force: bool) -> Steps[Object]:
        live = _without_managers(self.live)
        last = managers.get(self.identity)
        applied = typed.fields_of(self.schema, self.applied)
        if self.ignored:
            applied = field_sets.difference_below(applied, field_sets.of_paths(self.ignored))
        version = self.applied.get("apiVersion", "")
        entry = Entry(applied, version, last.time if last else self.time)
        try:
            result = typed.merge(self.schema, live, self.applied)
        except ValueError:  # what is applied fits the schema, so it is what is there that does not
            raise _untyped("live", live, problems(self.schema, live)) from None
        if last is not None and last.fields:
            # What nobody owns counts here: the name that is applied keeps `metadata` from going with its last label.
            result = yield from self._pruned(result, {**managers, self.identity: entry}, last)
        fields = field_sets.in_order(field_sets.difference(applied, _UNOWNED))
        after = {**managers, self.identity: entry._replace(fields=fields)}
        changed, removed = _differences(self.schema, live, result, self.ignored)
        changes: dict[str, tuple[FieldSet, FieldSet] | None] = {version: (changed, removed)}
        yield from _changes_elsewhere(changes, after, live, result, self.identity, self.ignored)
        after = _settled(after, self.identity, changes, force=force)
        if (changed or removed or after != managers) and self.identity in after:
            after[self.identity] = after[self.identity]._replace(time=self.time)
        return _with_managers(result, after)

    def _pruned(self, merged: Object, managers: Managers, last: Entry) -> Steps[Object]:
        """`merged` without what the applier set last time, does not set now, and nobody else claims.

        It is looked at in the version of the last time, and for what others claim in theirs.
        """
        mine = self.applied.get("apiVersion", "")
        in_last = yield from self._view((merged,), mine, last.api_version)
        if in_last is None:
            return merged
        all_merged, last_schema = in_last.objects[0], in_last.schema
        fields = typed.with_named_fields(last_schema, last.fields)
        pruned, version, whole = (
            typed.remove(last_schema, all_merged, fields) or {},
            last.api_version,
            all_merged,
        )
        for other, owned in _owned_by_version(managers).items():
            view = yield from self._view((whole, pruned), version, other)
            if view is not None:
                whole, pruned = view.objects
                pruned, version = _with_owned(view.schema, whole, pruned, owned), other
        back = yield from self._view((pruned,), version, last.api_version)
        if back is None:
            return merged
        everything = typed.with_named_fields(last_schema, typed.fields_of(last_schema, all_merged))
        left = typed.with_named_fields(last_schema, typed.fields_of(last_schema, back.objects[0]))
        dropped = field_sets.intersection(field_sets.difference(everything, left), fields)
        result: Object = typed.remove(last_schema, all_merged, dropped) or {}
        home = yield from self._view((result,), last.api_version, mine)
        return home.objects[0] if home is not None else merged

    def _view(self, objects: Sequence[Object], version: str, wanted: str) -> Steps[View | None]:
        if wanted == version == self.applied.get("apiVersion", ""):
            return View(objects, self.schema)
        return (yield Wanted(objects, wanted))


def _owned_by_version(managers: Managers) -> dict[str, FieldSet]:
    owned: dict[str, list[FieldSet]] = {}
    for entry in managers.values():
        owned.setdefault(entry.api_version, []).append(entry.fields)
    return {version: field_sets.union_all(sets) for version, sets in sorted(owned.items())}


def _with_owned(schema: Schema, merged: Object, pruned: Object, owned: FieldSet) -> Object:
    """`pruned` and what of `merged` is owned besides."""
    owned = typed.with_named_fields(schema, owned)
    everything = typed.with_named_fields(schema, typed.fields_of(schema, merged))
    left = typed.with_named_fields(schema, typed.fields_of(schema, pruned))
    unowned = field_sets.difference(everything, field_sets.union(left, owned))
    result: Object = typed.remove(schema, merged, unowned) or {}
    return result


def _settled(managers: Managers, mine: Identity, changes: Changes, *, force: bool) -> Managers:
    """The managers after the merge: others lose what changed under them, or their claim is a conflict."""
    conflicts: dict[Identity, FieldSet] = {}
    result: Managers = {}
    for identity, entry in managers.items():
        fields = entry.fields
        if identity != mine:
            change = changes[entry.api_version]
            if change is None:
                continue
            changed, removed = change
            contested = field_sets.intersection(fields, changed)
            if contested:
                conflicts[identity] = contested
            fields = field_sets.difference(field_sets.difference(fields, contested), removed)
        if fields:
            result[identity] = entry if fields is entry.fields else entry._replace(fields=fields)
    if conflicts and not force:
        raise _Conflicts(conflicts)
    return result


def _without_managers(obj: Object) -> Object:
    meta = {key: value for key, value in metadata(obj).items() if key != "managedFields"}
    return {**obj, "metadata": meta}


def _check_applied(applied: Object, schema: Schema) -> None:
    if metadata(applied).get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    found = problems(schema, applied)
    if found:
        raise _untyped("patch", applied, found)


def _untyped(what: str, obj: Object, found: Sequence[str]) -> StatusError:
    """500, as upstream has it, for an object that does not fit its schema; what is no text there has no name."""
    meta = obj.get("metadata")
    texts = [*(_text(meta, field) for field in ("namespace", "name"))]
    texts += [_text(obj, field) for field in ("apiVersion", "kind")]
    named = "{}/{}; {}, Kind={}".format(*texts)
    text = found[0] if len(found) == 1 else "errors:\n" + "\n".join(f"  {problem}" for problem in found)
    return StatusError(500, "", f"failed to create typed {what} object ({named}): {text}")


def _text(fields: Any, name: str) -> str:
    value = fields.get(name) if isinstance(fields, dict) else None
    return value if isinstance(value, str) else ""


# Coming from client-side apply --------------------------------------------------------------------------


def _last_applied(obj: Object) -> str:
    return str((metadata(obj).get("annotations") or {}).get(LAST_APPLIED) or "")


def _not_from_last_applied(
    sets: dict[Identity, FieldSet], live: Object, schema: Schema
) -> dict[Identity, FieldSet]:
    """The conflicts that remain when `kubectl apply` takes over what it applied from the client's side before.

    Allowed are fields that the annotation names and that still have its values.
    """
    try:
        annotated = orjson.loads(_last_applied(live))
    except orjson.JSONDecodeError:
        return sets
    if not isinstance(annotated, dict) or annotated.get("apiVersion") != live.get("apiVersion"):
        return sets
    if problems(schema, annotated):
        return sets
    changed, removed = typed.compare(schema, annotated, _without_managers(live))
    allowed = field_sets.difference(typed.fields_of(schema, annotated), changed)
    allowed = field_sets.difference(allowed, removed)
    left = {identity: field_sets.difference(fields, allowed) for identity, fields in sets.items()}
    return {identity: fields for identity, fields in left.items() if fields}


def _with_last_applied(result: Object, applied: Object) -> Object:
    """Keep the annotation of client-side apply in step, where the object has one."""
    if not _last_applied(result):
        return result
    configuration = _without_managers(applied)
    if "annotations" in configuration["metadata"]:
        kept = {
            key: value
            for key, value in configuration["metadata"]["annotations"].items()
            if key != LAST_APPLIED
        }
        configuration["metadata"]["annotations"] = kept
    text = orjson.dumps(configuration, option=orjson.OPT_SORT_KEYS).decode() + "\n"
    meta = dict(metadata(result))
    annotations = {**meta["annotations"], LAST_APPLIED: text}
    if sum(len(key) + len(value) for key, value in annotations.items()) > ANNOTATIONS_BYTES_MAX:
        del annotations[LAST_APPLIED]
    meta["annotations"] = annotations
    return {**result, "metadata": meta}
