"""Names, paths and queries that are not what they should be."""

import base64
import json

import pytest
from tests.unit.apiserver_hostile.site import CONFIGMAPS, DEPLOYMENTS, config_map

BAD_NAMES = [
    "..",
    ".",
    "a/b",
    "../x",
    "a%2fb",
    "%2f",
    "A",
    "a b",
    "-a",
    "a\x00b",
    "é",
    "a" * 254,
    "a" * 100_000,
    "a\nb",
]


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: repr(name)[:20])
async def test_a_bad_name_in_a_body_is_refused(site, name):
    answer = await site.refused("POST", CONFIGMAPS, config_map(name), codes=(422,))
    assert answer.body["details"]["causes"][0]["field"] == "metadata.name"
    generated = config_map("x")
    generated["metadata"] = {"generateName": name}
    if len(name) < 254:
        await site.refused("POST", CONFIGMAPS, generated, codes=(422,))


ESCAPED = [
    "..",
    "%2e%2e",
    ".",
    "%2f",
    "a%2fb",
    "..%2f..%2fsecrets",
    "%00",
    "a%00b",
    "%ff",
    "%0d%0aX:%20y",
    "%",
    "%zz",
]


@pytest.mark.parametrize("name", [*ESCAPED, "a" * 300, "a" * 7000], ids=lambda name: name[:20])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_a_bad_name_in_a_path_reaches_nothing(site, method, name):
    before = await site.stored()
    body = {"GET": None, "PUT": config_map("x"), "PATCH": {"data": {"k": "w"}}, "DELETE": None}[method]
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    answer = await site.send(method, f"{CONFIGMAPS}/{name}", body, content_type=kind)
    assert 400 <= answer.code < 500, answer.body
    assert "X" not in answer.headers
    assert await site.stored() == before
    await site.others_are_served()


async def test_an_apply_does_not_create_under_a_bad_name(site):
    for name in ESCAPED:
        before = await site.stored()
        path = f"{CONFIGMAPS}/{name}?fieldManager=m"
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}
        answer = await site.send("PATCH", path, body, content_type="application/apply-patch+yaml")
        assert 400 <= answer.code < 500, (name, answer.body)
        assert await site.stored() == before


@pytest.mark.parametrize(
    "namespace", ["..", "%2f", "a%2fb", "%00", "A", "a" * 300, "missing"], ids=lambda n: n[:20]
)
async def test_nothing_is_made_in_a_namespace_that_cannot_be(site, namespace):
    before = await site.stored()
    answer = await site.send("POST", f"/api/v1/namespaces/{namespace}/configmaps", config_map("x"))
    assert 400 <= answer.code < 500, answer.body
    assert await site.stored() == before


DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def definition(plural: str, scope: str) -> dict:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {
            "group": "example.com",
            "scope": scope,
            "names": {"plural": plural, "kind": plural.title(), "singular": plural[:-1]},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }


async def served(site, path):
    import asyncio

    async with asyncio.timeout(10):
        while True:
            if (await site.send("GET", path)).code == 200:
                return
            await asyncio.sleep(0.01)


async def test_a_path_of_the_wrong_scope_is_not_found(site):
    for plural, scope in (("wides", "Cluster"), ("narrows", "Namespaced")):
        assert (await site.send("POST", DEFINITION, definition(plural, scope))).code == 201
        await served(site, f"/apis/example.com/v1/{plural}")
    wide = {"apiVersion": "example.com/v1", "kind": "Wides", "metadata": {"name": "w"}}
    narrow = {"apiVersion": "example.com/v1", "kind": "Narrows", "metadata": {"name": "n"}}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}
    for method, path, body in (
        ("POST", "/apis/example.com/v1/namespaces/default/wides", wide),
        ("GET", "/apis/example.com/v1/namespaces/default/wides", None),
        ("PUT", "/apis/example.com/v1/namespaces/default/wides/w", wide),
        ("GET", "/apis/example.com/v1/narrows/n", None),
        ("PUT", "/apis/example.com/v1/narrows/n", narrow),
        ("POST", "/api/v1/namespaces/default/nodes", node),
        ("GET", "/api/v1/configmaps/standing", None),
        ("DELETE", "/api/v1/configmaps/standing", None),
    ):
        before = await site.stored()
        answer = await site.send(method, path, body)
        assert answer.code == 404, (method, path, answer.body)
        assert await site.stored() == before
    # Upstream: the collection exists for all namespaces, and takes no creation.
    before = await site.stored()
    assert (await site.send("POST", "/apis/example.com/v1/narrows", narrow)).code in (404, 405, 422)
    assert (await site.send("POST", "/api/v1/configmaps", config_map("x"))).code in (404, 405, 422)
    assert await site.stored() == before


@pytest.mark.parametrize(
    "wordy", [",".join(f"k{n}=v{n}" for n in range(600)), "a in (" + ",".join(["v"] * 3000) + ")"]
)
async def test_a_long_selector_that_fits_the_line_is_answered(site, wordy):
    answer = await site.send("GET", f"{CONFIGMAPS}?labelSelector={wordy.replace(' ', '%20')}")
    assert answer.code in (200, 400, 414)
    await site.others_are_served()


@pytest.mark.parametrize(
    "parameter", ["labelSelector", "fieldSelector", "continue", "resourceVersion", "limit"]
)
async def test_a_hundred_kilobytes_in_a_query_are_refused(site, parameter):
    answer = await site.wire(
        f"GET {CONFIGMAPS}?{parameter}={'a' * 100_000} HTTP/1.1\r\nHost: a\r\n"
        "Authorization: Bearer admin-token\r\nConnection: close\r\n\r\n".encode()
    )
    assert answer[:7] == b"HTTP/1." and answer[8:10] == b" 4", answer[:300]
    await site.others_are_served()


@pytest.mark.parametrize(
    "query",
    [
        "labelSelector=a%20in",
        "labelSelector=a%20in%20(",
        "labelSelector=!!a",
        "labelSelector=a%3D%3D%3Db",
        "labelSelector=%2C%2C",
        "labelSelector=a%3E%3Eb",
        "labelSelector=a%3Ex",
        "labelSelector=" + "a" * 64,
        "labelSelector=a%3D" + "b" * 64,
        "labelSelector=%00",
        "labelSelector=%F0%9F%92%A9",
        "labelSelector=((((((((((",
        "fieldSelector=nonsense%3Dx",
        "fieldSelector=metadata.name",
        "fieldSelector=metadata.name%3D%3D%3Dx%3Dy",
        "fieldSelector=spec.x%3Dy",
        "fieldSelector=%3D",
        "limit=1.5",
        "limit=99999999999999999999",
        "limit=" + "9" * 5000,
        "limit=-9223372036854775809",
        "limit=x",
        "limit=%D9%A3",
        "limit=1_0",
        "timeoutSeconds=99999999999999999999",
        "resourceVersion=-1",
        "resourceVersion=" + "9" * 5000,
        "resourceVersion=%D9%A3",
        "resourceVersion=%C2%B2",
        "resourceVersion=18446744073709551616",
        "resourceVersion=18446744073709551616&resourceVersionMatch=Exact",
        "continue=x",
        "continue=%00",
        "continue=W10",
        "continue=e30",
        "continue="
        + base64.urlsafe_b64encode(b'{"v":"meta.k8s.io/v1","rv":"x","start":"a"}').decode().rstrip("="),
        "continue="
        + base64.urlsafe_b64encode(b'{"v":"meta.k8s.io/v1","rv":-1.5,"start":"a"}').decode().rstrip("="),
        "continue="
        + base64.urlsafe_b64encode(b'{"v":"meta.k8s.io/v1","rv":1,"start":{}}').decode().rstrip("="),
        "continue="
        + base64.urlsafe_b64encode(b'{"v":"meta.k8s.io/v1","rv":1,"start":"../secrets/"}')
        .decode()
        .rstrip("="),
    ],
    ids=lambda query: query[:50],
)
async def test_nonsense_in_a_query_is_refused(site, query):
    codes = (400, 410, 422, 504)
    if "resourceVersion=" in query:
        codes = (400, 422, 504)
    await site.refused("GET", f"{CONFIGMAPS}?{query}", codes=codes)
    # A watch reads neither a limit nor a token.
    if not query.startswith(("limit", "continue")):
        await site.refused("GET", f"{CONFIGMAPS}?{query}&watch=true", codes=codes)


async def test_a_continue_token_reaches_no_other_resource(site):
    """A token of another list, or one that was changed, shows nothing that its own list would not."""
    secret = {"metadata": {"name": "zz"}, "data": {"k": "aGlkZGVu"}}
    assert (await site.send("POST", "/api/v1/namespaces/default/secrets", secret)).code == 201
    assert (await site.send("POST", CONFIGMAPS, config_map("second"))).code == 201
    page = await site.send("GET", f"{CONFIGMAPS}?limit=1")
    token = page.body["metadata"]["continue"]
    claims = json.loads(base64.urlsafe_b64decode(token + "=="))
    for start in ("/secrets", "../secrets/default/", "../../../", "\x00", "\uffff" * 10):
        forged = (
            base64.urlsafe_b64encode(json.dumps({**claims, "start": start}).encode()).decode().rstrip("=")
        )
        answer = await site.send("GET", f"{CONFIGMAPS}?limit=5&continue={forged}")
        assert answer.code in (200, 400, 410), answer.body
        assert "aGlkZGVu" not in json.dumps(answer.body)
        assert all(item["kind"] == "ConfigMap" for item in answer.body.get("items", ()))


async def test_a_kind_or_version_that_is_not_served_is_not_found(site):
    for path in ("/api/v2/configmaps", "/apis/apps/v9/deployments", "/apis/none/v1/a", "/api/v1/nothings"):
        answer = await site.send("GET", path)
        assert answer.code == 404, path
    assert (await site.send("POST", f"{DEPLOYMENTS}/web/nothing", {})).code in (404, 405)
