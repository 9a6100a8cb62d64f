"""Metadata of custom objects, and of objects inside of them, are held to what metadata are everywhere."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.apiserver_crd.definitions import CRONTABS, crontab, definition, established, refusal, version

from mamekube.apiserver.formats.fieldvalidation import inspect
from mamekube.apiserver.server import ApiServer
from mamekube.client.client import Client
from mamekube.objects.schema import schema_from_crd

KIND = (
    "may have mixed case, but should otherwise match: a DNS-1035 label must consist of lower case alphanumeric "
    "characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. "
    "'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
EMBEDDED: dict[str, Any] = {
    "type": "object",
    "x-kubernetes-embedded-resource": True,
    "x-kubernetes-preserve-unknown-fields": True,
}
NESTED = {**EMBEDDED, "properties": {"inner": EMBEDDED}}
SCHEMA = {"type": "object", "properties": {"embedded": EMBEDDED, "nested": NESTED}}


def inner(kind: str = "Foo", **meta: Any) -> dict[str, Any]:
    return {"apiVersion": "foo/v1", "kind": kind, "metadata": meta}


REFUSALS: list[tuple[dict[str, Any], int, str]] = [
    (
        {"embedded": inner("%", name="..")},
        422,
        f'CronTab.stable.example.com "one" is invalid: [embedded.kind: Invalid value: "%": {KIND}, '
        "embedded.metadata.name: Invalid value: \"..\": may not be '..']",
    ),
    (
        {"nested": {**inner(), "inner": inner(name="a/b", namespace="A")}},
        422,
        'CronTab.stable.example.com "one" is invalid: [nested.inner.metadata.name: Invalid value: "a/b": '
        "may not contain '/', nested.inner.metadata.namespace: Invalid value: \"A\": a lowercase RFC 1123 label must "
        "consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character "
        "(e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')]",
    ),
    (
        {"embedded": inner(name="a", namespace=42)},
        400,
        'CronTab in version "v1" cannot be handled as a CronTab: embedded.metadata: Invalid value: '
        '{"name":"a","namespace":42}: json: cannot unmarshal number into Go struct field ObjectMeta.namespace of '
        "type string",
    ),
    (
        {"metadata": {"name": "one", "namespace": "default", "labels": {"a": 42}}},
        400,
        'CronTab in version "v1" cannot be handled as a CronTab: json: cannot unmarshal number into Go struct field '
        "ObjectMeta.labels of type string",
    ),
    (
        {"kind": "Other"},
        422,
        'Other.stable.example.com "one" is invalid: kind: Invalid value: "Other": must be CronTab',
    ),
]


@pytest.mark.parametrize(("more", "code", "message"), REFUSALS)
async def test_metadata_are_refused_for(
    client: Client, more: dict[str, Any], code: int, message: str
) -> None:
    await established(client, definition(version(schema=SCHEMA)))
    error = await refusal(client.create(CRONTABS, {**crontab(), **more}))
    assert (error.code, error.message) == (code, message)


def test_unknown_fields_of_metadata_are_dropped_and_told_of() -> None:
    made = {**crontab(), "nested": {**inner(name="a", odd=1), "inner": inner(name="b", odd=1)}}
    made["metadata"]["odd"] = 1
    findings = inspect(made, schema_from_crd(SCHEMA))
    assert made["nested"] == {**inner(name="a"), "inner": inner(name="b")}
    assert made["metadata"] == {"name": "one", "namespace": "default"}
    paths = ("metadata.odd", "nested.inner.metadata.odd", "nested.metadata.odd")
    assert findings.strict == [f'unknown field "{path}"' for path in paths]
    assert findings.error == ""


ONE = f"/registry/{CRONTABS.group}/crontabs/default/one"
ODD_METADATA = {"unknown": 42, "annotations": {"foo": 42, "bar": "abc"}, "labels": {"invalid": "x y"}}


async def test_metadata_that_should_never_have_been_stored_are_put_right(
    server: ApiServer, client: Client
) -> None:
    """Those of the wrong type go when they are read, the rest when it is written; the object can always be deleted."""
    await established(client, definition(version(schema=SCHEMA)))
    made = crontab(
        embedded={**inner(), "metadata": dict(ODD_METADATA)}, nested={**inner(), "metadata": "none"}
    )
    made["metadata"] |= {"uid": "1-2", "generation": None, **ODD_METADATA}
    await server.api.store.create(key=ONE, obj=made)
    await client.delete(CRONTABS, "one", namespace="default")
    await server.api.store.create(key=ONE, obj=made)
    got = await client.get(CRONTABS, "one", namespace="default")
    meta = got["metadata"]
    assert (meta["generation"], meta["labels"]) == (1, {"invalid": "x y"})
    assert not {"unknown", "annotations"} & meta.keys()
    assert got["embedded"]["metadata"] == {"labels": {"invalid": "x y"}}
    assert "metadata" not in got["nested"]
    changed = {**got, "metadata": {**meta, "labels": {"invalid": "x y", "something": "changed"}}}
    assert (
        'metadata.labels: Invalid value: "x y"' in (await refusal(client.update(CRONTABS, changed))).message
    )
    changed["metadata"]["labels"] = {"invalid": "fixed"}
    error = await refusal(client.update(CRONTABS, changed))
    assert 'embedded.metadata.labels: Invalid value: "x y"' in error.message
    changed["embedded"] = {**inner(), "metadata": {"labels": {"invalid": "fixed"}}}
    changed = dict(await client.update(CRONTABS, changed))
    changed["embedded"] = {**inner(), "metadata": {"labels": {"invalid": 42}}}
    assert (await refusal(client.update(CRONTABS, changed))).code == 400
