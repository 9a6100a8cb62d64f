"""Requests at the edges: paths that reach too far, selectors with bad escapes, many warnings."""

import json

import pytest

from mamekube.apiserver import warnings
from mamekube.objects import selectors

NOT_ALLOWED = {
    "kind": "Status",
    "apiVersion": "v1",
    "metadata": {},
    "status": "Failure",
    "message": "the server does not allow this method on the requested resource",
    "reason": "MethodNotAllowed",
    "details": {},
    "code": 405,
}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/configmaps"),
        ("PUT", "/api/v1/configmaps"),
        ("DELETE", "/api/v1/configmaps"),
        ("DELETE", "/api/v1/configmaps?fieldSelector=metadata.name%3Da"),
        ("PATCH", "/apis/apps/v1/deployments"),
        ("OPTIONS", "/api/v1/pods"),
        ("TRACE", "/api/v1/pods"),
    ],
)
async def test_over_all_namespaces_things_are_read_and_nothing_else(web, method, path):
    named = {"metadata": {"name": "a", "namespace": "default"}}
    await web.send("POST", "/api/v1/namespaces/default/configmaps", named)
    answer = await web.send(method, path, named if method in ("POST", "PUT", "PATCH") else None)
    assert (answer.code, answer.body) == (405, NOT_ALLOWED)
    assert (await web.send("GET", "/api/v1/namespaces/default/configmaps/a")).code == 200


PAGES = (
    "/version",
    "/api",
    "/api/v1",
    "/apis/apps/v1",
    "/openid/v1/jwks",
    "/.well-known/openid-configuration",
)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
async def test_pages_that_are_routes_are_read_and_nothing_else(web, method, path):
    answer = await web.send(method, path)
    assert (answer.code, answer.body) == (405, NOT_ALLOWED)


@pytest.mark.parametrize(
    "path", ["/", "/apis", "/apis/apps", "/healthz", "/readyz", "/openapi/v2", "/metrics"]
)
async def test_pages_that_are_handlers_answer_any_method(web, path):
    posted, read = await web.send("POST", path, {}), await web.send("GET", path)
    assert (posted.code, posted.headers["Content-Type"]) == (200, read.headers["Content-Type"])


async def test_a_page_that_is_not_there_is_404_whatever_is_asked(web):
    for path in ("/apis/apps/v9", "/apis/none.example.com/v1", "/api/v2", "/nothing"):
        assert (await web.send("POST", path, {})).code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/configmaps/a",
        "/api/v1/bindings",
        "/apis/authorization.k8s.io/v1/localsubjectaccessreviews",
        "/api/v1//configmaps",
        "/api/v1/namespaces/default//configmaps",
    ],
)
async def test_a_path_that_leads_nowhere_in_a_group_that_is_there_is_refused_with_a_status(web, path):
    answer = await web.send("POST" if path.endswith("s") else "GET", path, {} if path.endswith("s") else None)
    assert (answer.code, answer.body["reason"]) == (404, "NotFound")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/v1/configmaps//", "ConfigMapList"),
        ("/api/v1/configmaps/", "ConfigMapList"),
        ("/api/v1/namespaces/default/", "Namespace"),
        ("/apis/apps/v1/", "APIResourceList"),
    ],
)
async def test_slashes_at_the_ends_do_not_matter(web, path, kind):
    assert (await web.send("GET", path)).body["kind"] == kind


async def test_a_refused_path_says_that_it_has_no_details(web):
    answer = await web.send("GET", "/metrics", headers={"Authorization": "Bearer nobody-token"})
    assert answer.body["details"] == {}
    assert answer.body["message"] == 'forbidden: User "nobody" cannot get path "/metrics"'


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "unexpected end of JSON input (<empty>)"),
        (b'{"kind":"ConfigMap"', 'unexpected end of JSON input ({"kind":"ConfigMap")'),
        (
            b"kind: ConfigMap",
            "invalid character 'k' looking for beginning of value (6b696e643a20436f6e6669674d6170)",
        ),
    ],
)
async def test_what_is_no_json_is_no_object(web, body, why):
    answer = await web.send("POST", "/api/v1/namespaces/default/configmaps", body)
    assert (answer.code, answer.body["message"]) == (
        400,
        "the object provided is unrecognized (must be of type ConfigMap): "
        f"couldn't get version/kind; json parse error: {why}",
    )


@pytest.mark.parametrize(
    ("path", "obj", "message"),
    [
        (
            "/api/v1/namespaces",
            {"kind": "Pod"},
            'Pod in version "v1" cannot be handled as a Namespace: '
            "converting (v1.Pod) to (core.Namespace): unknown conversion",
        ),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterroles",
            {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"foo": 1}},
            'Deployment in version "v1" cannot be handled as a ClusterRole: '
            "converting (v1.Deployment) to (rbac.ClusterRole): unknown conversion",
        ),
        (
            "/apis/apps/v1/namespaces/default/deployments",
            {"apiVersion": "apps/v1", "kind": "deployment"},
            'deployment in version "v1" cannot be handled as a Deployment: no kind "deployment" is registered '
            'for version "apps/v1" in scheme "pkg/api/legacyscheme/scheme.go:30"',
        ),
    ],
)
async def test_an_object_of_another_kind_is_refused_in_upstreams_words(web, path, obj, message):
    answer = await web.send("POST", f"{path}?fieldValidation=Strict", json.dumps(obj).encode())
    assert (answer.code, answer.body["message"]) == (400, message)


MAP = "into Go value of type map[string]interface {}"


@pytest.mark.parametrize(
    ("media_type", "body", "message"),
    [
        (
            "json-patch+json",
            b"x",
            "error decoding patch: invalid character 'x' looking for beginning of value",
        ),
        ("merge-patch+json", b'{"a":', "error decoding patch: unexpected end of JSON input"),
        ("merge-patch+json", b"[]", f"error decoding patch: json: cannot unmarshal array {MAP}"),
        (
            "strategic-merge-patch+json",
            b"{,",
            "invalid character ',' looking for beginning of object key string",
        ),
        ("strategic-merge-patch+json", b"5", f"json: cannot unmarshal number {MAP}"),
        (
            "apply-patch+yaml",
            b"text",
            f"error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string {MAP}",
        ),
    ],
)
async def test_what_is_no_patch_is_refused_in_the_words_of_its_type(web, media_type, body, message):
    await web.send("POST", "/api/v1/namespaces/default/configmaps", b'{"metadata":{"name":"c"}}')
    headers = {"Content-Type": f"application/{media_type}"}
    path = "/api/v1/namespaces/default/configmaps/c?fieldManager=m"
    answer = await web.send("PATCH", path, body, headers=headers)
    assert (answer.code, answer.body["message"]) == (400, message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metadata.name=a\\x", "invalid field selector: invalid escape sequence: \\x"),
        ("metadata.name=a\\", "invalid field selector: invalid escape sequence: \\"),
        ("metadata.name=a=b", "invalid field selector: unescaped character in value: 61"),
        ("a=b,what", "invalid selector: 'a=b,what'; can't understand 'what'"),
    ],
)
async def test_a_field_selector_with_a_bad_escape_is_refused(web, text, message):
    with pytest.raises(selectors.SelectorError) as caught:
        selectors.parse_fields(text)
    assert str(caught.value) == message
    escaped = text.replace("\\", "%5C").replace("=", "%3D")
    answer = await web.send("GET", f"/api/v1/pods?fieldSelector={escaped}")
    assert (answer.code, answer.body["message"]) == (400, message)


def test_good_escapes_are_read():
    (term,) = selectors.parse_fields("f=a\\,b\\=c\\\\").terms
    assert term.value == "a,b=c\\"


async def test_every_warning_has_a_header_of_its_own(web):
    body = {"metadata": {"name": "a"}, "data": {"k": "v"}, "one": 1, "two": 2}
    answer = await web.send("POST", "/api/v1/namespaces/default/configmaps", body)
    assert answer.headers.getall("Warning") == [
        '299 - "unknown field \\"one\\""',
        '299 - "unknown field \\"two\\""',
    ]


async def test_who_writes_a_status_is_warned_of_the_status_alone(web):
    services = "/api/v1/namespaces/default/services"
    spec = {"ports": [{"port": 80}], "type": "LoadBalancer", "externalName": "a.b"}
    made = await web.send("POST", services, {"metadata": {"name": "a"}, "spec": spec})
    status = {"loadBalancer": {"ingress": [{"ip": "2001:DB8::1"}]}}
    written = await web.send("PUT", f"{services}/a/status", {**made.body, "status": status})
    assert (made.code, written.code) == (201, 200), written.body
    assert made.headers.getall("Warning") == [
        '299 - "spec.externalName is ignored when spec.type is not \\"ExternalName\\""'
    ]
    assert written.headers.getall("Warning") == [
        '299 - "status.loadBalancer.ingress[0]: IPv6 address \\"2001:DB8::1\\" should be in RFC 5952 canonical format '
        '(\\"2001:db8::1\\")"'
    ]


def test_short_warnings_are_all_told_once():
    assert warnings.limited(["a", "b", "a", ""]) == ["a", "b"]
    assert warnings.limited(["x" * 4096]) == ["x" * 4096]


def test_warnings_that_are_too_long_together_are_cut():
    assert warnings.limited(["x" * 4097]) == ["x" * 256]
    many = [f"{number:03}" + "x" * 297 for number in range(40)]
    told = warnings.limited(many)
    assert told == [text[:256] for text in many[:16]]


def test_a_header_holds_what_it_can():
    assert warnings.pairs(['say "a\\b"\n']) == [("Warning", '299 - "say \\"a\\\\b\\" "')]
