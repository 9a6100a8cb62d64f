"""Strict decoding of objects made at random: the quick pass and the thorough one say the same of each."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mamekube.apiserver.formats import fieldvalidation, omissions
from mamekube.kinds.registry import builtin_registry
from mamekube.objects import schema
from mamekube.objects.schema import Schema, builtin_schema
from mamekube.objects.status import StatusError

DEPLOYMENT = builtin_registry().find("apps", "v1", "deployments")
assert DEPLOYMENT is not None
OF = builtin_schema("io.k8s.api.apps.v1.Deployment")

SCALARS: dict[str, st.SearchStrategy[Any]] = {
    schema.STRING: st.text(max_size=3),
    schema.INT32: st.integers(-(2**31), 2**31 - 1),
    schema.INT64: st.integers(-(2**63), 2**63 - 1),
    schema.NUMBER: st.floats(allow_nan=False, allow_infinity=False),
    schema.BOOL: st.booleans(),
    schema.BYTES: st.sampled_from(["", "YQ==", "YWI=", "YWJj"]),
    schema.TIME: st.sampled_from(["2026-01-01T00:00:00Z"]),
    schema.MICRO_TIME: st.sampled_from(["2026-01-01T00:00:00.000001Z"]),
    schema.QUANTITY: st.sampled_from(["1", "500m", "1.5Gi", "1e3", "-1", 7]),
    schema.INT_OR_STRING: st.sampled_from([80, "http", "25%"]),
    schema.ANY: st.sampled_from([{"a": [None]}, {"b": {}}]),
}
NONSENSE = st.sampled_from([None, 1, 1.5, 2**40, True, "x", [], {}, [None], {"x": 1}])


@st.composite
def values(draw: st.DrawFn, of: Schema, depth: int, spoil: bool) -> Any:
    """A value of a schema; where it shall be spoiled, some of it is nonsense, or empty where that means absent."""
    if spoil and draw(st.integers(0, 9)) == 0:
        return draw(NONSENSE)
    if of.type == schema.OBJECT:
        names = draw(st.lists(st.sampled_from(sorted(of.fields)), max_size=4, unique=True)) if depth else []
        found = {name: draw(values(of.fields[name], depth - 1, spoil)) for name in names}
        if not spoil:
            found = {name: value for name, value in found.items() if value or name not in omissions.of(of)}
        if spoil and draw(st.integers(0, 9)) == 0:
            found["nothing"] = draw(NONSENSE)
        return found
    if of.type == schema.LIST:
        return [
            draw(values(of.element, depth - 1, spoil)) for _ in range(draw(st.integers(0, 2)) if depth else 0)
        ]
    if of.type == schema.MAP:
        keys = draw(st.lists(st.sampled_from("ab"), max_size=2, unique=True))
        return {key: draw(values(of.element, depth - 1, spoil)) for key in keys}
    return draw(SCALARS[of.type])


@settings(max_examples=60, deadline=None)
@given(values(OF, 6, False))
def test_what_fits_the_schema_passes_quickly_and_unchanged(obj: dict[str, Any]) -> None:
    before = copy.deepcopy(obj)
    assert fieldvalidation._clean_struct(OF, obj)
    assert fieldvalidation.check(obj, DEPLOYMENT, fieldvalidation.STRICT) == (before, [])


@settings(max_examples=100, deadline=None)
@given(values(OF, 6, True).filter(lambda value: isinstance(value, dict)))
def test_both_passes_agree_and_what_is_left_is_clean(obj: dict[str, Any]) -> None:
    clean = fieldvalidation._clean_struct(OF, obj)
    findings = fieldvalidation.Findings()
    left = copy.deepcopy(obj)
    fieldvalidation._Pass(findings, restoring=False).struct(OF, left, "", "")
    if clean:
        assert (findings.error, findings.strict, left) == ("", [], obj)
    elif not findings.error:
        assert fieldvalidation.inspect(copy.deepcopy(left), OF).strict == []
        assert fieldvalidation.check(left, DEPLOYMENT, fieldvalidation.STRICT)[1] == []


JSON = st.recursive(
    NONSENSE,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["spec", "metadata", "x"]), inner)
    ),
)


@settings(max_examples=100, deadline=None)
@given(JSON, st.sampled_from([fieldvalidation.STRICT, fieldvalidation.WARN, fieldvalidation.IGNORE]))
def test_any_json_is_decoded_or_refused_with_a_400(value: Any, mode: str) -> None:
    body = orjson.dumps(value)
    try:
        obj, _ = fieldvalidation.decode(body, DEPLOYMENT, mode=mode)
    except StatusError as error:
        assert error.code == 400
    else:
        assert set(obj) <= {"apiVersion", "kind", "metadata", "spec", "status"}


@given(st.binary(max_size=40))
def test_any_bytes_are_decoded_or_refused_with_a_400(body: bytes) -> None:
    with pytest.raises(StatusError) as caught:
        fieldvalidation.decode(body + b"\xff", DEPLOYMENT)
    assert caught.value.code == 400
