"""Bodies made to cost too much or to mean two things: refused with a Status, nothing stored, others served."""

import json

import pytest
from tests.unit.apiserver_hostile.site import CONFIGMAPS, DEPLOYMENTS, PODS, SECRETS, config_map, deployment

from mamekube.apiserver.formats import codec
from mamekube.foundation.limits import BODY_DEPTH_MAX, BODY_VALUES_MAX
from mamekube.objects.status import StatusError

CONTROLLER_REVISIONS = "/apis/apps/v1/namespaces/default/controllerrevisions"
JSON = "application/json"
YAML = "application/yaml"
PATCHES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
DEPTH = 10_001
LISTS = b"[" * DEPTH + b"]" * DEPTH
MAPS = b'{"a":' * DEPTH + b"1" + b"}" * DEPTH
HEAD = b'"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"deep"}'
MIB = 1024 * 1024


def bomb(levels: int) -> bytes:
    lines = [b"a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]".encode() for n in range(1, levels + 1)]
    return b"\n".join(lines)


@pytest.mark.parametrize("deep", [LISTS, MAPS, b"[" * DEPTH], ids=["lists", "maps", "unclosed"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", CONFIGMAPS),
        ("PUT", f"{CONFIGMAPS}/standing"),
        ("PUT", f"{DEPLOYMENTS}/web/status"),
        ("PUT", f"{DEPLOYMENTS}/web/scale"),
        ("POST", f"{PODS}/p/binding"),
        ("POST", "/api/v1/namespaces/default/serviceaccounts/default/token"),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
        ("PUT", "/api/v1/namespaces/default/finalize"),
        ("DELETE", f"{CONFIGMAPS}/standing"),
        ("DELETE", CONFIGMAPS),
    ],
)
async def test_json_ten_thousand_levels_deep_is_refused_everywhere(site, method, path, deep):
    for content_type in (JSON, YAML):
        await site.refused(method, path, b"{" + HEAD + b',"data":' + deep + b"}", content_type=content_type)
        await site.refused(method, path, deep, content_type=content_type)


NESTED = {
    "lists": lambda levels: b"[" * levels + b"]" * levels,
    "objects": lambda levels: b'{"a":' * levels + b"1" + b"}" * levels,
    "lists beside many": lambda levels: (
        b"[" + b"[]," * 6_000 + b"[" * (levels - 1) + b"]" * (levels - 1) + b"]"
    ),
}


@pytest.mark.parametrize("nest", NESTED.values(), ids=NESTED)
def test_a_body_is_as_deep_as_it_may_be_and_no_deeper(nest):
    codec.decode(nest(BODY_DEPTH_MAX), JSON)
    for levels in (BODY_DEPTH_MAX + 1, 900, 1_100, 6_000):
        with pytest.raises(StatusError, match="exceeded max depth"):
            codec.decode(nest(levels), JSON)


@pytest.mark.parametrize("levels", [900, 1_020, 1_100, 6_000, 300_000])
@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_brackets_that_are_never_closed_are_refused(opening, levels):
    with pytest.raises(StatusError) as refused:
        codec.decode(opening * levels, JSON)
    assert refused.value.code == 400


def test_brackets_inside_of_a_string_are_text():
    for count in (BODY_DEPTH_MAX + 1, 6_000, BODY_VALUES_MAX + 1):
        assert codec.decode(b'["' + b"[" * count + b'"]', JSON) == ["[" * count]


async def test_half_a_string_of_escapes_is_not_looked_at_again_from_each_of_them(site):
    body = b"[]" * 600 + b'"' + b'\\"' * 100_000
    await site.refused("POST", CONFIGMAPS, body)
    await site.refused("PATCH", f"{CONFIGMAPS}/standing", body, content_type=PATCHES["merge"])


@pytest.mark.parametrize("kind", PATCHES)
@pytest.mark.parametrize("path", [f"{CONFIGMAPS}/standing", f"{DEPLOYMENTS}/web", f"{DEPLOYMENTS}/web/scale"])
async def test_a_patch_ten_thousand_levels_deep_is_refused(site, kind, path):
    for deep in (LISTS, MAPS):
        body = b'{"data":{"k":' + deep + b"}}"
        if kind == "json":
            body = b'[{"op":"add","path":"/data/k","value":' + deep + b"}]"
        await site.refused("PATCH", f"{path}?fieldManager=m", body, content_type=PATCHES[kind])


async def test_a_pointer_ten_thousand_levels_deep_is_refused(site):
    body = [{"op": "add", "path": "/data" * DEPTH, "value": 1}]
    await site.refused("PATCH", f"{CONFIGMAPS}/standing", body, content_type=PATCHES["json"], codes=(422,))


async def test_patches_do_not_nest_an_object_deeper_than_a_body_may(site):
    """Each operation moves what is there one level down."""
    body = [{"op": "add", "path": "/data/x", "value": {}}]
    body += [{"op": "copy", "from": "/data", "path": "/data/x"} for _ in range(20)]
    await site.refused(
        "PATCH", f"{CONFIGMAPS}/standing", body, content_type=PATCHES["json"], codes=(400, 413, 422)
    )


@pytest.mark.parametrize("copies", [1, 2])
async def test_what_a_patch_makes_too_deep_to_be_written_is_refused(site, copies):
    levels = 200
    head = b'"apiVersion":"apps/v1","kind":"ControllerRevision","metadata":{"name":"deep"},"revision":1'
    body = b"{" + head + b',"data":' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"
    assert (await site.send("POST", CONTROLLER_REVISIONS, body)).code == 201
    patch = [{"op": "copy", "from": "/data", "path": "/data" + "/a" * 100}] * copies
    path = f"{CONTROLLER_REVISIONS}/deep"
    answer = await site.refused("PATCH", path, patch, content_type=PATCHES["json"])
    assert answer.body["message"] == "the object is nested too deep"


@pytest.mark.parametrize("levels", [5, 9, 40])
async def test_an_alias_bomb_is_refused_in_every_yaml_body(site, levels):
    answer = await site.refused("POST", CONFIGMAPS, bomb(levels), content_type=YAML)
    assert "excessive aliasing" in answer.body["message"]
    for path in (f"{CONFIGMAPS}/standing", f"{DEPLOYMENTS}/web"):
        await site.refused("PUT", path, bomb(levels), content_type=YAML)
        await site.refused("PATCH", f"{path}?fieldManager=m", bomb(levels), content_type=PATCHES["apply"])


@pytest.mark.parametrize(
    "body", [b"a: &a [*a]", b"a: &a {b: *a}", b"&a ? *a : 1", b"a: &a\n  <<: *a"], ids=repr
)
async def test_yaml_that_holds_itself_is_refused(site, body):
    """What merges itself into itself comes out as a map without a name."""
    await site.refused("POST", CONFIGMAPS, body, content_type=YAML, codes=(422,) if b"<<" in body else (400,))


@pytest.mark.parametrize(
    "body",
    [
        b"!!python/object/apply:os.system ['true']",
        b"a: !!binary abc\n? [1, 2]\n: x",
        b"--- {}\n--- {}",
        b"\t- a",
        b"a: 'unclosed",
        b"%YAML 9.9\n---\n{}",
        b"\xff\xfe\x00a",
        b"? ",
        b"- a",
        b"null",
        b"",
        b"a: " + b"9" * 10_000,
    ],
    ids=repr,
)
async def test_yaml_that_is_no_object_is_refused(site, body):
    await site.refused("POST", CONFIGMAPS, body, content_type=YAML)


REPEATED = (
    b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"twice"},"data":{"k":"1"},"data":{"k":"2"}}'
)


async def test_strict_refuses_a_repeated_key_in_upstreams_words(site):
    answer = await site.refused("POST", f"{CONFIGMAPS}?fieldValidation=Strict", REPEATED)
    assert answer.body["message"] == (
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: duplicate field "data"'
    )


async def test_a_key_that_comes_again_far_away_is_seen(site):
    """The body is decoded piece by piece."""
    keys = ",".join(f'"key-{number}":"value"' for number in range(20_000))
    body = f'{{"metadata":{{"name":"c"}},"data":{{{keys},"key-7":"again"}}}}'.encode()
    answer = await site.refused("POST", f"{CONFIGMAPS}?fieldValidation=Strict", body)
    assert 'strict decoding error: duplicate field "data.key-7"' in answer.body["message"]
    broken = await site.refused("POST", CONFIGMAPS, body.replace(b'"key-9000":', b'"key-9000"='))
    assert "json parse error: invalid character '=' after object key" in broken.body["message"]


async def test_warn_tells_of_a_repeated_key(site):
    answer = await site.send("POST", f"{CONFIGMAPS}?fieldValidation=Warn", REPEATED)
    assert (answer.code, answer.body["data"]) == (201, {"k": "2"})
    assert answer.headers["Warning"] == '299 - "duplicate field \\"data\\""'


@pytest.mark.parametrize("text", [b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\x80"])
@pytest.mark.parametrize("content_type", [JSON, YAML])
async def test_bad_utf8_is_refused(site, text, content_type):
    body = b"{" + HEAD + b',"data":{"k":"' + text + b'"}}'
    await site.refused("POST", CONFIGMAPS, body, content_type=content_type)
    await site.refused("PUT", f"{CONFIGMAPS}/standing", body, content_type=content_type)


async def chunked(size):
    for _ in range(size // MIB):
        yield b" " * MIB
    yield b"x"


@pytest.mark.parametrize(
    ("method", "path", "content_type"),
    [
        ("POST", CONFIGMAPS, JSON),
        ("PUT", f"{CONFIGMAPS}/standing", YAML),
        ("DELETE", f"{CONFIGMAPS}/standing", JSON),
        *(("PATCH", f"{CONFIGMAPS}/standing?fieldManager=m", kind) for kind in PATCHES.values()),
    ],
)
async def test_a_body_over_three_mebibytes_is_refused_sized_or_chunked(site, method, path, content_type):
    for body in (b" " * (3 * MIB) + b"x", chunked(3 * MIB)):
        answer = await site.refused(method, path, body, content_type=content_type, codes=(413,))
        assert answer.body["reason"] == "RequestEntityTooLarge"


async def test_a_json_patch_of_more_than_ten_thousand_operations_is_refused(site):
    body = [{"op": "test", "path": "/kind", "value": "ConfigMap"}] * DEPTH
    answer = await site.refused(
        "PATCH", f"{CONFIGMAPS}/standing", body, content_type=PATCHES["json"], codes=(413,)
    )
    assert answer.body["message"].endswith(
        "The allowed maximum operations in a JSON patch is 10000, got 10001"
    )


async def test_a_json_patch_that_grows_by_copying_is_refused(site):
    body = [{"op": "add", "path": "/data/a0", "value": "x" * 1000}]
    body += [{"op": "copy", "from": "/data", "path": f"/data/a{n}"} for n in range(1, 60)]
    await site.refused(
        "PATCH", f"{CONFIGMAPS}/standing", body, content_type=PATCHES["json"], codes=(413, 422)
    )


@pytest.mark.parametrize(
    "content_type",
    [
        "text/csv",
        "application/cbor",
        "application/x-www-form-urlencoded",
        "application/json-patch+json",
        "/",
        ";;",
    ],
)
async def test_an_unknown_content_type_is_refused(site, content_type):
    body = config_map("other")
    answer = await site.refused("POST", CONFIGMAPS, body, content_type=content_type, codes=(415,))
    assert answer.body["reason"] == "UnsupportedMediaType"
    await site.refused("PUT", f"{CONFIGMAPS}/standing", body, content_type=content_type, codes=(415,))


@pytest.mark.parametrize("body", [[], [config_map("a")], "text", 5, True], ids=repr)
@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_what_is_no_object_at_the_top_is_refused(site, body, method):
    await site.refused(method, CONFIGMAPS if method == "POST" else f"{CONFIGMAPS}/standing", body)


@pytest.mark.parametrize("kind", PATCHES)
@pytest.mark.parametrize("body", ["text", 5, None, True, {"a": 1}, [], [1], [None], [{"op": 5}]], ids=repr)
async def test_a_patch_of_the_wrong_shape_never_fails_inside(site, kind, body):
    before = await site.stored()
    data = json.dumps(body).encode()
    answer = await site.send(
        "PATCH", f"{CONFIGMAPS}/standing?fieldManager=m", data, content_type=PATCHES[kind]
    )
    assert answer.code < 500, answer.body
    assert answer.code == 200 or answer.body["kind"] == "Status"
    assert (await site.stored() == before) or answer.code == 200


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        ({"spec": {**deployment("x")["spec"], "replicas": 2**31}}, (400,)),
        ({"spec": {**deployment("x")["spec"], "replicas": -(2**31) - 1}}, (400,)),
        ({"spec": {**deployment("x")["spec"], "replicas": 10**400}}, (400,)),
        ({"spec": {**deployment("x")["spec"], "replicas": 1.5}}, (400,)),
        ({"spec": {**deployment("x")["spec"], "replicas": 1e300}}, (400,)),
        ({"spec": {**deployment("x")["spec"], "replicas": -1}}, (422,)),
        ({"spec": {**deployment("x")["spec"], "replicas": "1"}}, (400,)),
        ({"spec": {**deployment("x")["spec"], "replicas": True}}, (400,)),
        ({"spec": None}, (422,)),
        ({"spec": []}, (400,)),
        ({"metadata": None}, (422,)),
        ({"metadata": []}, (400,)),
        ({"metadata": "text"}, (400,)),
        ({"metadata": {"name": None}}, (422,)),
        ({"metadata": {"name": 5}}, (400,)),
        ({"metadata": {"name": "x", "labels": {"a": 5}}}, (400,)),
        ({"metadata": {"name": "x", "labels": {"a b": "c"}}}, (422,)),
        ({"metadata": {"name": "x", "generation": 2**63}}, (400,)),
        ({"metadata": {"name": "x", "annotations": {"big": "x" * 270_000}}}, (422,)),
        ({"metadata": {"name": "x", "namespace": "other"}}, (400,)),
        ({"kind": "StatefulSet"}, (400,)),
        ({"apiVersion": "v1"}, (400,)),
        ({"apiVersion": "a/b/c"}, (400,)),
        ({"apiVersion": 5}, (400,)),
        ({"kind": {}}, (400,)),
    ],
    ids=lambda value: repr(value)[:60],
)
async def test_a_field_of_the_wrong_type_or_range_is_refused(site, fields, codes):
    await site.refused("POST", DEPLOYMENTS, {**deployment("x"), **fields}, codes=codes)


async def test_a_body_must_name_what_the_url_names(site):
    answer = await site.refused("PUT", f"{DEPLOYMENTS}/web", deployment("other"))
    assert answer.body["message"] == (
        "the name of the object (other) does not match the name on the URL (web)"
    )
    wrong = {**deployment("web"), "metadata": {"name": "web", "namespace": "kube-system"}}
    answer = await site.refused("PUT", f"{DEPLOYMENTS}/web", wrong)
    assert (
        answer.body["message"]
        == "the namespace of the provided object does not match the namespace sent on the request"
    )


@pytest.mark.parametrize("data", ["!!!", "YQ=", "YQ", "Y Q==", "é", "YQ==x", 5, {}, ["YQ=="]], ids=repr)
async def test_secret_data_that_is_no_base64_is_refused(site, data):
    await site.refused("POST", SECRETS, {"metadata": {"name": "s"}, "data": {"k": data}})


@pytest.mark.parametrize(
    "amount",
    ["-1", "1e99999", "9" * 5000, "1Qi", "NaN", "Infinity", "0x10", "1 Gi", "", "１", "1e-99999999999"],
)
async def test_a_quantity_that_cannot_be_never_fails_inside(site, amount):
    pod = {
        "metadata": {"name": "p"},
        "spec": {
            "containers": [
                {"name": "c", "image": "i", "resources": {"limits": {"memory": amount, "cpu": amount}}}
            ]
        },
    }
    await site.send("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    answer = await site.send("POST", PODS, pod)
    huge_is_capped = amount in ("1e99999", "9" * 5000, "1e-99999999999", "")
    assert answer.code in ((201, 400, 422) if huge_is_capped else (400, 422)), answer.body
