"""The front of the server as upstream's router and filters answer: paths, methods, media types, refusals."""

from unittest.mock import Mock

import pytest

from mamekube.apiserver.access.attributes import Attributes
from mamekube.apiserver.access.authorization import forbidden
from mamekube.apiserver.health import Health
from mamekube.apiserver.pages import Pages
from mamekube.apiserver.request import Request, User, parse_request

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
THINGS = "/apis/example.com/v1/namespaces/default/things"
DEFINITION = {
    "metadata": {"name": "things.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "things", "kind": "Thing"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object"}},
                "subresources": {"status": {}},
            }
        ],
    },
}
NOBODY = {"Authorization": "Bearer nobody-token"}


@pytest.mark.parametrize(
    ("method", "target", "verb", "resource", "subresource", "name"),
    [
        ("GET", "/api/v1/proxy/namespaces/other/pods/foo", "proxy", "pods", "", "foo"),
        ("GET", "/api/v1/proxy/namespaces/other/pods/foo/a/b", "proxy", "pods", "", "foo"),
        ("GET", "/api/v1/watch/namespaces/other/pods", "watch", "pods", "", ""),
        ("GET", "/api/v1/watch/pods?fieldSelector=metadata.name=a", "watch", "pods", "", ""),
        ("HEAD", "/api/v1/namespaces/other/pods", "list", "pods", "", ""),
        ("PUT", "/api/v1/namespaces/other/finalize", "update", "namespaces", "finalize", "other"),
        ("GET", "/apis/g/v1/things?fieldSelector=metadata.name=a", "list", "things", "", "a"),
        ("GET", "/apis/g/v1/things?fieldSelector=metadata.name=a,b&watch=1", "watch", "things", "", ""),
        ("GET", "/apis/g/v1/things?fieldSelector=metadata.name!=a", "list", "things", "", ""),
        ("GET", "/apis/g/v1/things?fieldSelector=metadata.name=a%252Fb", "list", "things", "", ""),
        ("DELETE", "/apis/g/v1/things?fieldSelector=metadata.name=a", "deletecollection", "things", "", ""),
    ],
)
def test_a_path_says_what_is_asked_for(method, target, verb, resource, subresource, name):
    request = parse_request(method, target, headers={})
    assert request.is_resource
    found = (request.verb, request.resource, request.subresource, request.name)
    assert found == (verb, resource, subresource, name)


async def test_a_path_that_ends_with_a_verb_cannot_be_read(web):
    for headers in ({}, NOBODY):
        answer = await web.send("GET", "/api/v1/watch?a=<b>", headers=headers)
        assert (answer.code, answer.body) == (
            500,
            'Internal Server Error: "/api/v1/watch?a=%3Cb%3E": failed to create RequestInfo: '
            "unable to determine kind and namespace from url, /api/v1/watch?a=%3Cb%3E\n",
        )


async def test_an_old_path_watches_the_one_object_that_it_names(web):
    for name in ("a", "b"):
        await web.send("POST", CONFIG_MAPS, {"metadata": {"name": name}})
    path = "/api/v1/watch/namespaces/default/configmaps/b"
    answer = await web.send("GET", f"{path}?timeoutSeconds=1&fieldSelector=metadata.name%3Da")
    assert (answer.code, answer.body["message"]) == (
        400,
        "fieldSelector metadata.name doesn't match requested name",
    )
    async with web.session.get(web.url + path, headers={"Authorization": "Bearer admin-token"}) as watched:
        assert b'"name":"b"' in await watched.content.readline()


@pytest.mark.parametrize("path", [CONFIG_MAPS, "/api/v1/namespaces/default", "/version", "/api/v1"])
async def test_what_is_routed_has_no_heads(web, path):
    assert (await web.send("HEAD", path)).code == 405


@pytest.mark.parametrize(
    "path", ["//api/v1/configmaps", "//healthz", "/metrics/", "/openapi/v2/", "/healthz/"]
)
async def test_slashes_too_many_lead_nowhere(web, path):
    answer = await web.send("GET", path)
    assert (answer.code, answer.body) == (404, "404 page not found\n")


async def test_a_refusal_cannot_be_taken_for_a_page(web):
    answer = await web.send("GET", "/a<b>&c", headers=NOBODY)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    said = 'forbidden: User "nobody" cannot get path "/a&lt;b&gt;&amp;c"'
    assert (answer.code, answer.body["message"]) == (403, said)


def test_a_refusal_quotes_as_go_does():
    user = User('a"b\\\n\x01\u200b\U000e0001é')
    assert forbidden(Attributes(user, "get", False, path="/x")).message == (
        'forbidden: User "a\\"b\\\\\\n\\x01\\u200b\\U000e0001é" cannot get path "/x"'
    )


async def test_the_index_lists_every_check(web):
    listed = (await web.send("GET", "/")).body
    assert (await web.send("GET", "/index.html")).body == listed
    assert {"/apis/", "/livez/ping", "/readyz/informer-sync", "/metrics/slis", "/openapi/v3/"} <= {
        *listed["paths"]
    }


async def test_the_issuer_may_be_remembered():
    pages = Pages(
        openapi=Mock(),
        discovery=Mock(is_builtin_version=lambda path: False),
        health=Health(),
        metrics=Mock(),
        tokens=Mock(jwks=dict, discovery=dict),
    )
    for path in ("/openid/v1/jwks", "/.well-known/openid-configuration"):
        answer = await pages.serve(Request(method="GET", path=path))
        assert answer.headers["Cache-Control"] == "public, max-age=3600"


@pytest.mark.parametrize("accept", ["text/html", "application/*", "text/yaml", "application/x-yaml"])
async def test_what_cannot_be_answered_is_not_done(web, accept):
    answer = await web.send("POST", CONFIG_MAPS, {"metadata": {"name": "a"}}, headers={"Accept": accept})
    assert (answer.code, answer.body["message"], answer.body["details"]) == (
        406,
        "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, "
        "application/vnd.kubernetes.protobuf",
        {},
    )
    assert (await web.send("GET", f"{CONFIG_MAPS}/a")).code == 404


@pytest.mark.parametrize("form", ["stream=other", "sv=v1"])
async def test_a_parameter_that_is_not_known_is_no_form(web, form):
    answer = await web.send("GET", CONFIG_MAPS, headers={"Accept": f"application/json;{form}"})
    assert answer.code == 406
    both = {"Accept": f"application/json;{form}, application/yaml"}
    assert (await web.send("GET", CONFIG_MAPS, headers=both)).headers["Content-Type"] == "application/yaml"
    wild = {"Accept": "*/*, application/yaml"}
    assert (await web.send("GET", CONFIG_MAPS, headers=wild)).headers["Content-Type"] == "application/yaml"


@pytest.mark.parametrize(
    ("query", "agent", "indented"),
    [
        ("pretty=", "curl/8", True),
        ("pretty=", "x", False),
        ("pretty=yes", "curl/8", False),
        ("pretty=T", "x", True),
        ("pretty=0", "curl/8", False),
    ],
)
async def test_answers_are_indented_for_who_says_so_and_for_people(web, query, agent, indented):
    headers = {"Authorization": "Bearer admin-token", "User-Agent": agent}
    async with web.session.get(f"{web.url}{CONFIG_MAPS}?{query}", headers=headers) as answer:
        assert (b"\n" in (await answer.read()).rstrip()) == indented


async def test_custom_resources_have_verbs_and_no_routes(web):
    await web.send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", DEFINITION)
    thing = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}}
    assert (await web.send("POST", f"{THINGS}/other", thing)).body["metadata"]["name"] == "a"
    assert (await web.send("HEAD", THINGS)).code == 200
    for method in ("PUT", "PATCH"):
        answer = await web.send(
            method, THINGS, thing, headers={"Content-Type": "application/merge-patch+json"}
        )
        assert (answer.code, answer.body["message"]) == (400, "name must be provided")
    unknown = await web.send("GET", f"{THINGS}/a/unknown")
    assert (unknown.code, unknown.body["message"]) == (404, 'things.example.com "a" not found')
    created = await web.send("POST", f"{THINGS}/a/status", thing)
    said = 'create is not supported on resources of kind "things.example.com"'
    assert (created.code, created.body["message"]) == (405, said)


@pytest.mark.parametrize(("sent", "code"), [("Bearer  admin-token", 403), ("bearer admin-token more", 200)])
async def test_one_space_stands_before_a_token(web, sent, code):
    assert (await web.send("GET", CONFIG_MAPS, headers={"Authorization": sent})).code == code
