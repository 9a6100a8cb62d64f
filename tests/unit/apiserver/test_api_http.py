"""The API over HTTP: forms of answers, errors, limits, streams of events."""

import asyncio
import gzip
import io
import json
from urllib.parse import urlsplit

import orjson
import pytest
from tests.unit.apiserver.conftest import ADMIN_TOKEN
from tests.unit.apiserver.samples import config_map, deployment

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
PARTIAL = {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
PARTIAL_LIST = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}


async def test_an_object_comes_back_as_it_was_stored(web):
    created = await web.send("POST", CONFIGMAPS, config_map("a", k="v"))
    assert created.code == 201
    found = await web.send("GET", f"{CONFIGMAPS}/a")
    assert (found.code, found.body) == (200, created.body)
    assert found.headers["Cache-Control"] == "no-cache, private"
    assert found.headers["Audit-Id"]


@pytest.mark.parametrize("path", ["/version", CONFIGMAPS])
@pytest.mark.parametrize("timeout", ["3m", "0s", "-1s", "30s", ""])
async def test_a_client_may_say_how_long_it_waits(web, path, timeout):
    assert (await web.send("GET", f"{path}?timeout={timeout}")).code == 200


@pytest.mark.parametrize("token", [ADMIN_TOKEN, "nobody"])
async def test_a_wait_that_is_no_time_is_refused_before_anything_else(web, token):
    answer = await web.send("GET", "/version?timeout=invalid", headers={"Authorization": f"Bearer {token}"})
    assert (answer.code, answer.body["reason"]) == (400, "BadRequest")
    said = 'invalid timeout specified in the request URL - time: invalid duration "invalid"'
    assert answer.body["message"] == said
    watched = await web.send("GET", f"{CONFIGMAPS}?watch=1&timeoutSeconds=1&timeout=invalid")
    assert watched.code == 200, "what lasts as long as its client wants has no other limit"


async def test_who_waits_no_longer_is_told(web):
    place = urlsplit(web.url)
    head = f"Host: {place.netloc}\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\nContent-Length: 9\r\n\r\n"
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    writer.write(f"POST {CONFIGMAPS}?timeout=20ms HTTP/1.1\r\n{head}".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 504 ")
    assert b"Timeout: request did not complete within the allotted timeout" in answer


async def test_clients_that_leave_before_their_answer_begins_are_no_errors(web, caplog):
    place = urlsplit(web.url)
    head = f"Host: {place.netloc}\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n\r\n"
    for path in (f"{CONFIGMAPS}?watch=1", CONFIGMAPS) * 10:
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(f"GET {path} HTTP/1.1\r\n{head}".encode())
        writer.write_eof()
        await reader.read()
        writer.close()
        await writer.wait_closed()
    assert (await web.send("GET", CONFIGMAPS)).code == 200
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize(
    "form",
    [
        "as=PartialObjectMetadata;g=k8s.io;v=v1",
        "as=PartialObjectMetadata;g=meta.k8s.io;v=v1alpha1",
        "as=PartialObject;g=meta.k8s.io;v=v1",
        "as=ConfigMap;g=;v=v1",
        "g=meta.k8s.io;v=v1",
    ],
)
@pytest.mark.parametrize("query", ["", "?watch=1"])
async def test_a_form_that_there_is_not_is_refused(web, form, query):
    answer = await web.send("GET", CONFIGMAPS + query, headers={"Accept": f"application/json;{form}"})
    assert (answer.code, answer.body["reason"]) == (406, "NotAcceptable")


@pytest.mark.parametrize("query", ["", "&watch=1"])
async def test_a_table_tells_what_its_rows_may_include(web, query):
    answer = await web.send("GET", f"{CONFIGMAPS}?includeObject=none{query}", headers=TABLE)
    assert (answer.code, answer.body["message"]) == (
        400,
        'Unable to convert to Table as requested: includeObject: Invalid value: "none": '
        "must be 'Metadata', 'Object', 'None', or empty",
    )


async def test_an_error_is_a_status(web):
    answer = await web.send("GET", f"{CONFIGMAPS}/none")
    assert answer.code == 404
    assert answer.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'configmaps "none" not found',
        "reason": "NotFound",
        "details": {"name": "none", "kind": "configmaps"},
        "code": 404,
    }


@pytest.mark.parametrize("path", ["/nothing", "/apis/none.io", "/apis/none.io/v1/things", "/apisapps/v1"])
async def test_a_path_that_is_not_there_is_plain_404(web, path):
    answer = await web.send("GET", path)
    assert (answer.code, answer.body) == (404, "404 page not found\n")


@pytest.mark.parametrize(
    "path", ["/apis/apps/v1/things", "/apis/apps/v9", "/api/v1/pod", "/api/v2/pods", "/api/kubernetes"]
)
async def test_a_path_that_is_not_there_in_a_built_in_group_is_refused_with_a_status(web, path):
    answer = await web.send("GET", path)
    assert answer.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "the server could not find the requested resource",
        "reason": "NotFound",
        "details": {},
        "code": 404,
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"{CONFIGMAPS}/a"),
        ("DELETE", "/api/v1/namespaces"),
        ("PUT", CONFIGMAPS),
        ("POST", "/api/v1/namespaces/default/pods/p/log"),
    ],
)
async def test_a_verb_that_a_resource_has_not_is_405(web, method, path):
    answer = await web.send(method, path, {})
    assert (answer.code, answer.body["reason"]) == (405, "MethodNotAllowed")


async def test_a_table_has_the_columns_of_the_kind(web):
    await web.send("POST", CONFIGMAPS, config_map("a", k="v"))
    answer = await web.send("GET", CONFIGMAPS, headers=TABLE)
    assert answer.body["kind"] == "Table"
    assert [column["name"] for column in answer.body["columnDefinitions"]] == ["Name", "Data", "Age"]
    row = answer.body["rows"][0]
    assert row["cells"][:2] == ["a", 1]
    assert row["object"]["kind"] == "PartialObjectMetadata"
    assert row["object"]["metadata"]["name"] == "a"


@pytest.mark.parametrize(("include", "found"), [("None", None), ("Object", "ConfigMap")])
async def test_a_row_includes_what_was_asked_for(web, include, found):
    await web.send("POST", CONFIGMAPS, config_map("a"))
    answer = await web.send("GET", f"{CONFIGMAPS}?includeObject={include}", headers=TABLE)
    shown = answer.body["rows"][0]["object"]
    assert (shown and shown["kind"]) == found


async def test_metadata_alone(web):
    await web.send("POST", CONFIGMAPS, config_map("a", k="v"))
    one = await web.send("GET", f"{CONFIGMAPS}/a", headers=PARTIAL)
    assert (one.body["kind"], one.body.get("data")) == ("PartialObjectMetadata", None)
    many = await web.send("GET", CONFIGMAPS, headers=PARTIAL_LIST)
    assert many.body["kind"] == "PartialObjectMetadataList"
    assert many.body["items"][0]["kind"] == "PartialObjectMetadata"


async def test_a_form_that_the_server_cannot_write_is_406(web):
    answer = await web.send("GET", CONFIGMAPS, headers={"Accept": "application/xml"})
    assert (answer.code, answer.body["reason"]) == (406, "NotAcceptable")
    both = {"Accept": "application/vnd.kubernetes.protobuf,application/json"}
    assert (await web.send("GET", CONFIGMAPS, headers=both)).code == 200


async def test_yaml_in_and_out(web):
    body = b"metadata: {name: y}\ndata: {time: 2026-01-01T00:00:00Z}\n"
    yaml = {"Content-Type": "application/yaml", "Accept": "application/yaml"}
    answer = await web.send("POST", CONFIGMAPS, body, headers=yaml)
    assert answer.code == 201
    assert answer.body.startswith("apiVersion: v1\ndata:\n  time: '2026-01-01T00:00:00Z'\n")


async def test_pretty_answers_are_indented(web):
    answer = await web.session.get(
        f"{web.url}/version?pretty=true", headers={"Authorization": "Bearer admin-token"}
    )
    assert (await answer.json())["gitVersion"] == "v1.36.2"
    listed = await web.session.get(
        f"{web.url}{CONFIGMAPS}?pretty=true", headers={"Authorization": "Bearer admin-token"}
    )
    assert (await listed.text()).startswith('{\n  "kind": "ConfigMapList",\n')


async def test_a_large_answer_is_compressed_where_that_is_taken(web):
    big = config_map("big", k="x" * 200_000)
    await web.send("POST", CONFIGMAPS, big)
    headers = {"Authorization": "Bearer admin-token", "Accept-Encoding": "gzip"}
    async with web.session.get(
        f"{web.url}{CONFIGMAPS}/big", headers=headers, auto_decompress=False
    ) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert orjson.loads(gzip.decompress(await answer.read()))["data"]["k"] == "x" * 200_000


async def test_a_large_page_is_compressed_too(web, monkeypatch):
    plain = await web.send("GET", "/apis")
    assert plain.headers["Vary"] == "Accept"
    monkeypatch.setattr("mamekube.apiserver.formats.rendering.GZIP_MIN_BYTES", 100)
    headers = {"Authorization": "Bearer admin-token", "Accept-Encoding": "gzip"}
    async with web.session.get(f"{web.url}/apis", headers=headers, auto_decompress=False) as answer:
        assert answer.headers["Vary"] == "Accept, Accept-Encoding"
        assert orjson.loads(gzip.decompress(await answer.read())) == plain.body


# Bad input --------------------------------------------------------------------------------------


async def test_a_body_over_three_mebibytes_is_refused(web):
    answer = await web.send("POST", CONFIGMAPS, io.BytesIO(b"x" * (3 * 1024 * 1024 + 1)))
    assert (answer.code, answer.body["reason"]) == (413, "RequestEntityTooLarge")
    assert answer.body["message"] == "Request entity too large: limit is 3145728"


@pytest.mark.parametrize(
    "body",
    [
        b'{"metadata":' * 20_000,
        b'{"data":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"metadata": {"name": "a"}, "data": {"k": "\xff"}}',
        b'{"metadata": ',
        b"",
        b"[]",
        b"null",
        b'"text"',
        b"NaN",
    ],
)
async def test_a_body_that_is_no_object_is_refused(web, body):
    answer = await web.send("POST", CONFIGMAPS, body)
    assert (answer.code, answer.body["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize("size", [5, 9])
async def test_a_yaml_bomb_is_refused(web, size):
    lines = [b"a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]".encode() for n in range(1, size + 1)]
    answer = await web.send(
        "POST", CONFIGMAPS, b"\n".join(lines), headers={"Content-Type": "application/yaml"}
    )
    assert (answer.code, "excessive aliasing" in answer.body["message"]) == (400, True)


async def test_an_unknown_media_type_is_415(web):
    answer = await web.send("POST", CONFIGMAPS, b"x", headers={"Content-Type": "text/csv"})
    assert (answer.code, answer.body["reason"]) == (415, "UnsupportedMediaType")
    assert "accepted media types include: application/json, application/yaml" in answer.body["message"]


@pytest.mark.parametrize(
    ("validation", "code", "warned"), [("Strict", 400, False), ("Warn", 201, True), ("Ignore", 201, False)]
)
async def test_unknown_fields_by_field_validation(web, validation, code, warned):
    obj = deployment("d", colour="red")
    answer = await web.send("POST", f"{DEPLOYMENTS}?fieldValidation={validation}", obj)
    assert answer.code == code
    assert ("Warning" in answer.headers) == warned
    if warned:
        assert answer.headers["Warning"] == '299 - "unknown field \\"spec.colour\\""'
    if code == 400:
        assert answer.body["message"] == (
            'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
            'unknown field "spec.colour"'
        )


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("dryRun=Some", "dryRun"),
        ("fieldValidation=Maybe", "fieldValidation"),
        ("fieldManager=%01", "fieldManager"),
    ],
)
async def test_bad_options_are_invalid(web, query, field):
    answer = await web.send("POST", f"{CONFIGMAPS}?{query}", config_map("a"))
    assert answer.code == 422
    assert answer.body["message"].startswith('CreateOptions.meta.k8s.io "" is invalid: ')
    assert answer.body["details"]["causes"][0]["field"] == field


async def test_a_dry_run_answers_and_stores_nothing(web):
    answer = await web.send("POST", f"{CONFIGMAPS}?dryRun=All", config_map("a"))
    assert (answer.code, answer.body["metadata"]["name"]) == (201, "a")
    assert (await web.send("GET", f"{CONFIGMAPS}/a")).code == 404
    await web.send("POST", CONFIGMAPS, config_map("a", k="1"))
    await web.send("PUT", f"{CONFIGMAPS}/a?dryRun=All", config_map("a", k="2"))
    await web.send("DELETE", f"{CONFIGMAPS}/a?dryRun=All")
    assert (await web.send("GET", f"{CONFIGMAPS}/a")).body["data"] == {"k": "1"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("resourceVersionMatch=Exact", 422),
        ("resourceVersionMatch=Exact&resourceVersion=0", 422),
        ("resourceVersionMatch=Nearly&resourceVersion=1", 422),
        ("sendInitialEvents=true", 422),
        ("resourceVersion=x", 400),
        ("limit=many", 400),
        ("labelSelector=a%20in", 400),
    ],
)
async def test_bad_list_options(web, query, code):
    assert (await web.send("GET", f"{CONFIGMAPS}?{query}")).code == code


async def test_a_patch_of_an_unknown_type_is_415(web):
    await web.send("POST", CONFIGMAPS, config_map("a"))
    answer = await web.send("PATCH", f"{CONFIGMAPS}/a", b"{}")
    assert (answer.code, answer.body["message"]) == (415, "415: Unsupported Media Type")


async def test_who_shows_no_credential_is_anonymous(web):
    async with web.session.get(f"{web.url}{CONFIGMAPS}") as answer:
        body = await answer.json()
    assert answer.status == 403
    assert body["message"] == (
        'configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" in API group "" '
        'in the namespace "default"'
    )


async def test_a_wrong_token_is_401(web):
    answer = await web.send("GET", CONFIGMAPS, headers={"Authorization": "Bearer wrong"})
    assert (answer.code, answer.body["message"]) == (401, "Unauthorized")


# Watches ----------------------------------------------------------------------------------------


async def lines(web, path, count, headers=None):
    sent = {"Authorization": "Bearer admin-token", **(headers or {})}
    async with web.session.get(web.url + path, headers=sent) as answer:
        assert answer.status == 200
        return [json.loads(await answer.content.readline()) for _ in range(count)]


async def test_a_watch_streams_one_event_per_line(web):
    created = await web.send("POST", CONFIGMAPS, config_map("a"))
    events = await lines(web, f"{CONFIGMAPS}?watch=true", 1)
    assert events == [{"type": "ADDED", "object": created.body}]


async def test_initial_events_end_with_a_marked_bookmark(web):
    await web.send("POST", CONFIGMAPS, config_map("a"))
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    added, end = await lines(web, f"{CONFIGMAPS}?{query}", 2)
    assert added["type"] == "ADDED"
    assert end["type"] == "BOOKMARK"
    assert end["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_watch_of_tables_sends_the_columns_once(web):
    for name in ("a", "b"):
        await web.send("POST", CONFIGMAPS, config_map(name))
    both = await lines(web, f"{CONFIGMAPS}?watch=true", 2, TABLE)
    first, second = both[0]["object"], both[1]["object"]
    assert (first["kind"], second["kind"]) == ("Table", "Table")
    assert first["columnDefinitions"][0]["name"] == "Name"
    assert second["columnDefinitions"] is None
    assert second["rows"][0]["cells"][0] == "b"


async def test_a_watch_ends_when_its_time_is_over(web):
    sent = {"Authorization": "Bearer admin-token"}
    async with web.session.get(f"{web.url}{CONFIGMAPS}?watch=true&timeoutSeconds=1", headers=sent) as answer:
        assert await answer.read() == b""


# Patches ----------------------------------------------------------------------------------------

STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
MERGE = {"Content-Type": "application/merge-patch+json"}


async def test_a_patch_may_not_bring_wrong_types(web):
    await web.send("POST", DEPLOYMENTS, deployment("d"))
    answer = await web.send("PATCH", f"{DEPLOYMENTS}/d", b'{"spec":{"replicas":"many"}}', headers=STRATEGIC)
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    assert (await web.send("GET", f"{DEPLOYMENTS}/d")).body["spec"]["replicas"] == 1


@pytest.mark.parametrize(("mode", "code"), [("Strict", 422), ("Warn", 200)])
async def test_a_patch_with_an_unknown_field(web, mode, code):
    await web.send("POST", DEPLOYMENTS, deployment("d"))
    path = f"{DEPLOYMENTS}/d?fieldValidation={mode}"
    answer = await web.send("PATCH", path, b'{"spec":{"colour":"red"}}', headers=MERGE)
    assert answer.code == code
    assert ("Warning" in answer.headers) == (mode == "Warn")


async def test_an_invalid_object_names_every_field(web):
    obj = deployment("d", replicas=-1)
    obj["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    answer = await web.send("POST", DEPLOYMENTS, obj)
    assert (answer.code, answer.body["details"]["kind"]) == (422, "Deployment")
    assert {cause["field"] for cause in answer.body["details"]["causes"]} == {
        "spec.replicas",
        "spec.template.metadata.labels",
    }


@pytest.mark.parametrize(
    "options",
    [
        {"gracePeriodSeconds": "soon"},
        {"preconditions": []},
        {"propagationPolicy": 5},
        {"gracePeriodSeconds": {}},
    ],
)
async def test_delete_options_are_checked_like_objects(web, options):
    await web.send("POST", CONFIGMAPS, config_map("a"))
    answer = await web.send("DELETE", f"{CONFIGMAPS}/a", options)
    assert (answer.code, answer.body["reason"]) == (400, "BadRequest")
    assert (await web.send("GET", f"{CONFIGMAPS}/a")).code == 200


async def test_a_negative_limit_is_no_limit(web):
    for name in ("a", "b"):
        await web.send("POST", CONFIGMAPS, config_map(name))
    assert len((await web.send("GET", f"{CONFIGMAPS}?limit=-5")).body["items"]) == 2


@pytest.mark.parametrize("method", ["FOO", "UNLINK"])
@pytest.mark.parametrize("path", [CONFIGMAPS, f"{CONFIGMAPS}/a", "/api/v1/nodes/a/status"])
async def test_a_method_that_nobody_knows_is_not_allowed(web, method, path):
    answer = await web.send(method, path)
    assert (answer.code, answer.body["reason"]) == (405, "MethodNotAllowed")
    assert answer.body["message"] == "the server does not allow this method on the requested resource"
