"""Strict decoding: whether an object that a client sent fits the schema of its kind.

Wrong JSON types are refused. Unknown and repeated fields are dropped and, by `fieldValidation`, refused (Strict),
warned of (Warn) or passed over (Ignore). Null is the same as absent for the built-in kinds, and so are most empty
values (`omissions`). The texts are those of sigs.k8s.io/json, which upstream decodes with.

An object in which everything is known and well typed, as almost all are, takes one quick pass that notes no paths;
only when that finds something does a second one work out what to say. Custom resources are pruned here and no more:
their types and values are the schema validator's affair.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from operator import itemgetter
from typing import Any, TypeAlias

import orjson

from mamekube.apiserver.formats import codec, dense_json, omissions
from mamekube.foundation.limits import HEAVY_BYTES
from mamekube.kinds.kind import Kind
from mamekube.kinds.registry import builtin_registry
from mamekube.objects import fielderrors, gotext, schema
from mamekube.objects.meta import Object
from mamekube.objects.patches import json_patch
from mamekube.objects.schema import Schema, builtin_schema, schema_from_crd
from mamekube.objects.status import StatusError, bad_request

STRICT = "Strict"
WARN = "Warn"
IGNORE = "Ignore"

STRICT_ERRORS_MAX = 100
"""Upstream's decoder notes no more."""

CUSTOM_SCHEMAS_MAX = 1_000
"""Schemas of custom kinds kept; beyond that all are worked out anew."""

QUANTITY = re.compile(
    r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]++)?", re.ASCII
)
QUANTITY_PROBLEM = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)
TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
STORED_TIMES = {
    schema.TIME: re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII),
    schema.MICRO_TIME: re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII),
}
"""As times are kept and answered, whatever form a client sent them in: in UTC, to the second or microsecond."""
TIME_RANGES = (
    ("month", re.compile(r".{5}(?!0[1-9]|1[0-2])")),
    ("hour", re.compile(r".{11}(?![01]\d|2[0-3])")),
    ("minute", re.compile(r".{14}(?![0-5])")),
    ("second", re.compile(r".{17}(?![0-5])")),
)

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1

JSON_SCHEMA = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
SCHEMA_OR: Mapping[str, type] = {f"{JSON_SCHEMA}OrArray": list, f"{JSON_SCHEMA}OrBool": bool}
"""Types of which the definitions say nothing: they are JSON schemas, or this."""

Check: TypeAlias = Callable[[Schema, Any], bool]


def decode(
    body: bytes, kind: Kind, *, mode: str = WARN, content_type: str = codec.JSON
) -> tuple[Object, list[str]]:
    """The object in `body` and the warnings about it. Raises 400, 413, 415."""
    media_type = codec.media_type(content_type)
    try:
        value = codec.decode(body, content_type)
    except codec.Undecodable as error:
        raise _unrecognized(kind, error.message, body) from None
    if not isinstance(value, dict):
        raise _unrecognized(
            kind,
            "couldn't get version/kind; json parse error: "
            f"json: cannot unmarshal {gotext.json_kind(value)} into Go value of type struct "
            '{ APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }',
            body,
        )
    found = value.get("kind")
    if found and found != kind.kind and isinstance(found, str) and isinstance(kind.schema, str):
        raise of_another_kind(kind, str(value.get("apiVersion") or kind.api_version), found)
    try:
        if mode != IGNORE and media_type == codec.JSON and may_repeat_keys(body, value):
            if not isinstance(kind.schema, str):
                # It is taken as it is first, and pruned then.
                return check(value, kind, mode, repeated=repeated_keys(body, value))
            value, warnings = check(_with_repeated(body), kind, mode)
            return codec.loads(orjson.dumps(value)), warnings
        if media_type == codec.YAML:
            repeated = _repeated_in_yaml(body) if mode != IGNORE else ()
            return check(value, kind, mode, repeated=repeated, by_name=True)
        return check(value, kind, mode)
    except (RecursionError, orjson.JSONEncodeError):  # what cannot be encoded again cannot be stored either
        raise bad_request("json parse error: exceeded max depth") from None


def _unrecognized(kind: Kind, why: str, body: bytes) -> StatusError:
    return bad_request(
        f"the object provided is unrecognized (must be of type {kind.kind}): {why} ({codec.summarize(body)})"
    )


SCHEME = "pkg/api/legacyscheme/scheme.go:30"
"""Where upstream's Go types are registered; its messages say so."""

GO_PACKAGES = {"": "core", "events.k8s.io": "core", "rbac.authorization.k8s.io": "rbac"}
"""Of the types that upstream works with, where their name is not how the group's begins."""


def of_another_kind(kind: Kind, api_version: str, found: str) -> StatusError:
    """400: upstream makes the object that the data says it is, and fails to make one of `kind` of that."""
    group, _, version = api_version.rpartition("/")
    if builtin_registry().find_kind(group, version, found) is None:
        why = f'no kind "{found}" is registered for version "{api_version}" in scheme "{SCHEME}"'
    else:
        package = GO_PACKAGES.get(kind.group) or kind.group.partition(".")[0]
        why = f"converting ({version}.{found}) to ({package}.{kind.kind}): unknown conversion"
    return bad_request(f'{found} in version "{version}" cannot be handled as a {kind.kind}: {why}')


def check(
    obj: Object, kind: Kind, mode: str = WARN, *, repeated: Sequence[str] = (), by_name: bool = False
) -> tuple[Object, list[str]]:
    """`obj`, changed in place to what the kind knows of it, and the warnings about it. Raises 400.

    `repeated` is what was found in the text of the object already.
    """
    findings = inspect(obj, schema_of(kind), by_name=by_name)
    if findings.error:
        raise _undecodable(obj, kind, findings.error)
    strict = [*repeated, *findings.strict] if repeated else findings.strict
    if strict and mode == STRICT:
        raise _undecodable(obj, kind, "strict decoding error: " + ", ".join(strict))
    return obj, [text for problem in strict for text in _lines_of(problem)] if strict and mode == WARN else []


def check_applied(body: bytes, value: Any, mode: str) -> list[str]:
    """Warnings about the text of an apply patch, which decodes to `value`. Raises 400."""
    if mode == IGNORE or (body[:1] == b"{" and not may_repeat_keys(body, value)):
        return []
    repeated = _repeated_in_yaml(body)
    if not repeated:
        return []
    if mode == STRICT:
        raise bad_request(f"error strict decoding YAML: error converting YAML to JSON: {repeated[0]}")
    return _lines_of(repeated[0])


YAML_PREFIX = "yaml: unmarshal errors:\n"


def _repeated_in_yaml(body: bytes) -> list[str]:
    """One problem, or none."""
    # Loaded with the first YAML: most servers see none before they are ready.
    from mamekube.apiserver.formats import yamls

    problem = yamls.repeated_keys(body)
    return [problem] if problem else []


def _lines_of(problem: str) -> list[str]:
    """The warnings about a problem: one for each line of YAML."""
    if not problem.startswith(YAML_PREFIX):
        return [problem]
    return [line.strip() for line in problem.removeprefix(YAML_PREFIX).split("\n")]


def check_patched(
    obj: Object,
    kind: Kind,
    *,
    mode: str,
    patch: Any,
    strategic: bool = False,
    repeated: list[str] | None = None,
) -> tuple[Object, list[str]]:
    """As `check`, for the result of a patch: refusals are 422 and show the patch, as upstream's.

    `repeated` are findings about the patch itself (`repeated_keys`).
    """
    # Go prints a strategic patch as a map, and of the other patches the whole patched object.
    before = "" if strategic else orjson.dumps(obj).decode()
    findings = inspect(obj, schema_of(kind), restoring=strategic, by_name=True)
    strict = (repeated or []) + findings.strict
    problem = findings.error
    if not problem and strict and mode == STRICT:
        problem = "strict decoding error: " + ", ".join(strict)
    if problem:
        error = fielderrors.invalid("patch", gotext.print_value(patch) if strategic else before, problem)
        cause = {"reason": error.reason, "message": error.message, "field": error.field}
        raise StatusError(422, "Invalid", f' "" is invalid: {error}', details={"causes": [cause]})
    return obj, strict if mode == WARN else []


def schema_of(kind: Kind) -> Schema:
    """The schema of a kind, custom ones included."""
    if isinstance(kind.schema, str):
        return builtin_schema(kind.schema)
    kept = _custom_schemas.get(id(kind.schema))
    if kept is not None and kept[0] is kind.schema:
        return kept[1]
    if len(_custom_schemas) >= CUSTOM_SCHEMAS_MAX:
        _custom_schemas.clear()
    made = schema_from_crd(kind.schema)
    _custom_schemas[id(kind.schema)] = (kind.schema, made)
    return made


_custom_schemas: dict[int, tuple[Mapping[str, Any], Schema]] = {}


def _undecodable(obj: Object, kind: Kind, problem: str) -> StatusError:
    version = str(obj.get("apiVersion") or kind.api_version).rpartition("/")[2]
    found = obj.get("kind") or kind.kind
    return bad_request(f'{found} in version "{version}" cannot be handled as a {kind.kind}: {problem}')


# Repeated keys ------------------------------------------------------------------------------------------


class _Repeating(dict[str, Any]):
    """An object that remembers which of its keys stood there more than once."""

    __slots__ = ("repeated",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.repeated: set[str] = set()
        if len(self) != len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                (self.repeated if key in seen else seen).add(key)

    def update(self, more: _Repeating) -> None:  # type: ignore[override]
        """Go on with the next piece of the same object."""
        self.repeated |= more.repeated
        self.repeated |= self.keys() & more.keys()
        super().update(more)


def _with_repeated(body: bytes) -> Any:
    return dense_json.loads(body, partial(json.loads, object_pairs_hook=_Repeating))


_LOOSE = (b'" :', b'"\n', b'"\r', b'"\t', b"\\u0022")
_KEYS_END = b'":'
_LOOSE_BYTES = max(len(mark) for mark in _LOOSE) - 1


def may_repeat_keys(body: bytes, value: Any) -> bool:
    """Whether a key may stand twice in one object of `body`, which decodes to `value`.

    No is certain: every key that is kept has its `":` in both texts, and nothing else in the body can hide one.
    """
    if len(body) <= HEAVY_BYTES:
        return _is_loose(body) or body.count(_KEYS_END) != orjson.dumps(value).count(_KEYS_END)
    parts = (body[at : at + HEAVY_BYTES + _LOOSE_BYTES] for at in range(0, len(body), HEAVY_BYTES))
    return any(map(_is_loose, parts)) or _keys_max(body) != _keys_max(orjson.dumps(value))


def _keys_max(text: bytes) -> int:
    part = HEAVY_BYTES + len(_KEYS_END) - 1
    return sum(text.count(_KEYS_END, at, at + part) for at in range(0, len(text), HEAVY_BYTES))


def _is_loose(text: bytes) -> bool:
    return any(map(text.__contains__, _LOOSE))


def repeated_keys(body: bytes, value: Any) -> list[str]:
    """What strict decoding says of a patch itself: keys that stand twice, and fields that no operation has."""
    findings = Findings()
    if may_repeat_keys(body, value):
        _note_repeated(_with_repeated(body), "", findings)
    if isinstance(value, list):
        return [f"json patch {problem}" for problem in findings.strict] + json_patch.strict_errors(value)
    return findings.strict


def _note_repeated(value: Any, path: str, findings: Findings) -> None:
    if isinstance(value, _Repeating):
        for key, item in value.items():
            below = f"{path}.{key}" if path else key
            if key in value.repeated:
                findings.note(f'duplicate field "{below}"')
            _note_repeated(item, below, findings)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _note_repeated(item, f"{path}[{index}]", findings)


# The quick pass -----------------------------------------------------------------------------------------


class Findings:
    """What is wrong: the first error that no mode forgives, and what strict decoding names."""

    __slots__ = ("error", "strict")

    def __init__(self) -> None:
        self.error = ""
        self.strict: list[str] = []

    def note(self, problem: str) -> None:
        if len(self.strict) < STRICT_ERRORS_MAX and problem not in self.strict:
            self.strict.append(problem)

    def fail(self, problem: str) -> None:
        self.error = self.error or problem


def inspect(obj: Object, of: Schema, *, restoring: bool = False, by_name: bool = False) -> Findings:
    """What does not fit; unknown fields, nulls and empty values that upstream leaves out are removed from `obj`.

    `restoring`: word wrong types as Go's converter from maps does, instead of as its JSON decoder does.
    `by_name`: tell of fields in the order of their names, as of what upstream writes as JSON again before it looks.
    """
    findings = Findings()
    if type(obj) is not dict or not _clean_struct(of, obj):
        found = _Pass(findings, restoring=restoring, by_name=by_name)
        found.struct(of, obj, "", "")
        if of.custom:
            # Upstream decodes the metadata, prunes, and decodes metadata within, each with its own list.
            findings.strict.sort(key=lambda problem: (not problem.startswith(_OF_METADATA), problem))
            findings.strict += sorted(found.inner)
    return findings


_OF_METADATA = 'unknown field "metadata.'


def _compiled(of: Schema) -> dict[str, tuple[type, Check | None, Schema, bool]]:
    found: dict[str, tuple[type, Check | None, Schema, bool]] | None = of.compiled
    if found is None:
        omitted = omissions.of(of)
        found = of.compiled = {
            name: (*_quick(field), field, name in omitted) for name, field in of.fields.items()
        }
    return found


def _quick(of: Schema) -> tuple[type, Check | None]:
    return (object, _clean_schema) if of.name in SCHEMA_OR else _QUICK[of.type]


def _clean_schema(of: Schema, value: Any) -> bool:
    """What may be a JSON schema or, as `SCHEMA_OR` says, something else."""
    if type(value) is dict:
        return _clean_struct(builtin_schema(JSON_SCHEMA), value)
    if SCHEMA_OR[of.name] is bool:
        return type(value) is bool
    return isinstance(value, list) and all(type(item) is dict and _clean_schema(of, item) for item in value)


def _clean_struct(of: Schema, value: dict[str, Any]) -> bool:
    fields = of.compiled or _compiled(of)
    empty: list[str] | None = None
    for key, item in value.items():
        entry = fields.get(key)
        if entry is None:
            if of.preserve:
                continue
            return False
        wanted, check_item, field, omitted = entry
        if type(item) is not wanted and (wanted is not object or item is None):
            return False
        if check_item is not None and not check_item(field, item):
            return False
        if omitted and not item:
            empty = [*(empty or ()), key]
    if empty is not None:
        for key in empty:
            del value[key]
    return True


def _clean_map(of: Schema, value: dict[str, Any]) -> bool:
    wanted, check_item, _ = _element_of(of)
    for item in value.values():
        if type(item) is not wanted and (wanted is not object or item is None):
            return False
        if check_item is not None and not check_item(of.element, item):
            return False
    return True


def _clean_list(of: Schema, value: list[Any]) -> bool:
    wanted, check_item, element = _element_of(of)
    for item in value:
        if type(item) is not wanted and (wanted is not object or item is None):
            return False
        if check_item is not None and not check_item(element, item):
            return False
    return True


def _element_of(of: Schema) -> tuple[type, Check | None, Schema]:
    entry: tuple[type, Check | None, Schema] | None = of.compiled
    if entry is None:
        element = of.element
        entry = of.compiled = (*_QUICK[element.type], element)
    return entry


def _clean_int32(of: Schema, value: Any) -> bool:
    return -INT32_MAX - 1 <= value <= INT32_MAX


def _clean_int64(of: Schema, value: Any) -> bool:
    return -INT64_MAX - 1 <= value <= INT64_MAX


def _clean_number(of: Schema, value: Any) -> bool:
    return type(value) in (int, float)


def _clean_bytes(of: Schema, value: Any) -> bool:
    try:
        binascii.a2b_base64(value, strict_mode=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _clean_time(of: Schema, value: Any) -> bool:
    if STORED_TIMES[of.type].fullmatch(value) is None:
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _moment(value: str) -> datetime | None:
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _clean_quantity(of: Schema, value: Any) -> bool:
    return type(value) is int or (type(value) is str and QUANTITY.fullmatch(value) is not None)


def _clean_int_or_string(of: Schema, value: Any) -> bool:
    return type(value) is str or (type(value) is int and _clean_int32(of, value))


_QUICK: Mapping[str, tuple[type, Check | None]] = {
    schema.OBJECT: (dict, _clean_struct),
    schema.MAP: (dict, _clean_map),
    schema.LIST: (list, _clean_list),
    schema.STRING: (str, None),
    schema.BOOL: (bool, None),
    schema.INT32: (int, _clean_int32),
    schema.INT64: (int, _clean_int64),
    schema.NUMBER: (object, _clean_number),
    schema.BYTES: (str, _clean_bytes),
    schema.TIME: (str, _clean_time),
    schema.MICRO_TIME: (str, _clean_time),
    schema.QUANTITY: (object, _clean_quantity),
    schema.INT_OR_STRING: (object, _clean_int_or_string),
    schema.ANY: (object, None),
}
"""By type of schema: the type that its value has (object: any but null), and what else is asked of it."""


# The thorough pass --------------------------------------------------------------------------------------


class _Pass:
    """Walks with paths. `path` is the strict one with indices, `fields` Go's, which knows field names only."""

    def __init__(self, findings: Findings, *, restoring: bool, by_name: bool = False) -> None:
        self.findings = findings
        self.inner: list[str] = []
        """What strict decoding names in the metadata of embedded resources."""
        self._restoring = restoring
        self._by_name = by_name

    def _items(self, value: dict[str, Any]) -> list[tuple[str, Any]]:
        return sorted(value.items(), key=itemgetter(0)) if self._by_name else list(value.items())

    def struct(self, of: Schema, value: dict[str, Any], path: str, fields: str) -> None:
        repeated = value.repeated if isinstance(value, _Repeating) else ()
        omitted = omissions.of(of)
        for key, item in self._items(value):
            below = f"{path}.{key}" if path else key
            field = of.child(key)
            if field is None:
                self.findings.note(f'unknown field "{below}"')
                del value[key]
                continue
            if key in repeated:
                self.findings.note(f'duplicate field "{below}"')
            if item is None and not of.custom and not field.custom:
                del value[key]
                continue
            if key == "metadata" and of.embedded:
                value[key] = self._metadata(field, item, below)
                continue
            named = f"{fields}.{key}" if fields else key
            struct = of.go_type.rpartition(".")[2]
            found = self.value(field, item, below, named, f"Go struct field {struct}.{named}")
            if found or key not in omitted:
                value[key] = found
            else:
                del value[key]

    def _metadata(self, of: Schema, value: Any, path: str) -> Any:
        """That of a custom object, or of one inside of it: upstream decodes it apart from the rest."""
        found, shown = Findings(), json.dumps(value)
        made = _Pass(found, restoring=self._restoring, by_name=True).value(of, value, path, "", "Go value")
        for problem in found.strict:
            if path == "metadata":
                self.findings.note(problem)
            else:
                self.inner.append(problem)
        if found.error and path == "metadata":
            self.findings.fail(found.error)
        elif found.error:
            self.findings.fail(str(fielderrors.invalid(path, json.loads(shown), found.error)))
        return made

    def value(self, of: Schema, value: Any, path: str, fields: str, where: str) -> Any:
        """The value as it shall be. `where` is how an error about its type names the place."""
        kind = of.type
        if value is None:
            return value if of.custom else _ZEROS.get(kind, value)
        if kind in (schema.OBJECT, schema.MAP):
            return self._mapping(of, value, path, fields, where)
        if kind == schema.LIST:
            return self._list(of, value, path, fields, where)
        if of.name in SCHEMA_OR:
            self._schema(of, value)
            return value
        if kind == schema.ANY or of.custom:
            return value
        return self._scalar(of, value, where)

    def _schema(self, of: Schema, value: Any) -> None:
        """Upstream decodes it apart from the rest, and says nothing of fields that it does not know there."""
        found = Findings()
        for item in value if isinstance(value, list) and SCHEMA_OR[of.name] is list else [value]:
            if isinstance(item, dict):
                _Pass(found, restoring=False).struct(builtin_schema(JSON_SCHEMA), item, "", "")
            elif SCHEMA_OR[of.name] is list:
                found.fail(
                    f"json: cannot unmarshal {gotext.json_kind(item)} into Go value of type v1.JSONSchemaProps"
                )
            elif not isinstance(item, bool):
                found.fail("boolean or JSON schema expected")
        if found.error:
            self.findings.fail(found.error)

    def _mapping(self, of: Schema, value: Any, path: str, fields: str, where: str) -> Any:
        if not isinstance(value, dict):
            if not of.custom:
                self._mistyped(value, where, of.go_type)
            return value
        if of.type == schema.OBJECT:
            self.struct(of, value, path, fields)
            return value
        repeated = value.repeated if isinstance(value, _Repeating) else ()
        for key, item in self._items(value):
            below = f"{path}.{key}"
            if key in repeated:
                self.findings.note(f'duplicate field "{below}"')
            value[key] = self.value(of.element, item, below, fields, where)
        return value

    def _list(self, of: Schema, value: Any, path: str, fields: str, where: str) -> Any:
        if not isinstance(value, list):
            if not of.custom:
                self._mistyped(value, where, of.go_type)
            return value
        return [
            self.value(of.element, item, f"{path}[{index}]", fields, where)
            for index, item in enumerate(value)
        ]

    def _scalar(self, of: Schema, value: Any, where: str) -> Any:
        kind = of.type
        wanted, clean = _QUICK[kind]
        if (wanted is object or type(value) is wanted) and (clean is None or clean(of, value)):
            return value
        if kind == schema.QUANTITY:
            self.findings.fail(QUANTITY_PROBLEM)
        elif kind == schema.INT_OR_STRING:
            self._mistyped(value, "Go value", "int32")
        elif kind in (schema.TIME, schema.MICRO_TIME):
            return self._time(of, value)
        elif kind == schema.BYTES and isinstance(value, str):
            return self._lenient_bytes(value)
        else:
            self._mistyped(value, where, "string" if kind == schema.BYTES else of.go_type)
        return value

    def _time(self, of: Schema, value: Any) -> Any:
        moment = _moment(value) if isinstance(value, str) and TIME.fullmatch(value) else None
        if moment is None:
            self._bad_time(value)
            return value
        written = moment.isoformat(timespec="microseconds" if of.type == schema.MICRO_TIME else "seconds")
        return written.replace("+00:00", "Z")

    def _bad_time(self, value: Any) -> None:
        if isinstance(value, str) and TIME.fullmatch(value):
            beyond = next((part for part, range_ in TIME_RANGES if range_.match(value)), "day")
            self.findings.fail(f'parsing time "{value}": {beyond} out of range')
        elif isinstance(value, str):
            layout = "2006-01-02T15:04:05Z07:00"
            self.findings.fail(
                f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "2006"'
                if not re.match(r"\d{4}", value)
                else f'parsing time "{value}" as "{layout}": cannot parse "{value[4:]}" as "-"'
            )
        else:
            self._mistyped(value, "Go value", "string")

    def _lenient_bytes(self, value: str) -> str:
        """Go's base64 passes over line ends; what it does not pass over is named by its place."""
        joined = value.replace("\n", "").replace("\r", "")
        if joined != value and _clean_bytes(schema.UNTYPED, joined):
            return joined
        match = re.search(r"[^A-Za-z0-9+/\r\n]", value)
        place = match.start() if match and match.group() != "=" else len(value) - len(value) % 4
        self.findings.fail(f"illegal base64 data at input byte {place}")
        return value

    def _mistyped(self, value: Any, where: str, go_type: str) -> None:
        if self._restoring and where != "Go value":
            self.findings.fail(_not_restored(value, go_type))
            return
        found = gotext.json_kind(value)
        if found == "number" and go_type in ("int32", "int64"):
            found = f"number {orjson.dumps(value).decode()}"
        self.findings.fail(f"json: cannot unmarshal {found} into {where} of type {go_type}")


_ZEROS: Mapping[str, Any] = {
    schema.STRING: "",
    schema.INT32: 0,
    schema.INT64: 0,
    schema.NUMBER: 0,
    schema.BOOL: False,
    schema.QUANTITY: "0",
    schema.OBJECT: {},
}
"""What null in a list or as a map's value is decoded to; as the value of a field it is dropped."""


def _not_restored(value: Any, go_type: str) -> str:
    """What Go's converter says of a value that it cannot put into a field of this type."""
    found = {"object": "map", "array": "slice", "number": "int64"}.get(
        gotext.json_kind(value), gotext.json_kind(value)
    )
    if isinstance(value, float):
        found = "float64"
    for prefix, kind in (("[]", "slice"), ("map[", "map")):
        if go_type.startswith(prefix):
            return f"cannot restore {kind} from {found}"
    if "." in go_type:
        return f"cannot restore struct from: {found}"
    if found == "float64" or (found == "int64" and go_type == "string"):
        return f"cannot convert {found} to {go_type}" if go_type != "bool" else "unrecognized type: bool"
    return f"unrecognized type: {go_type}"
