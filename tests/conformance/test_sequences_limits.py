"""How large bodies and patches may be, and how many may patch one object at once, by the requests of upstream's
integration tests.
"""

import json
import threading
import uuid

import pytest
from tests.conformance.api import APPLY, JSON, JSON_PATCH, MERGE, STRATEGIC

SIZE_MAX = 3 * 1024 * 1024
YAML = "application/yaml"
PATCHERS = 10
"""Twice as many as upstream tries to patch again after a conflict."""


def nested(depth):
    return b"[" * depth + b"]" * depth


@pytest.fixture
def secret(api, core):
    api.create(f"{core}/secrets", {"metadata": {"name": "test"}})
    return f"{core}/secrets/test"


def test_no_body_is_larger_than_the_limit(api, core, secret):
    huge = b"x" * (SIZE_MAX + 1)
    for method, path, kind in (
        ("POST", f"{core}/pods", JSON),
        ("PUT", secret, JSON),
        ("PATCH", secret, JSON_PATCH),
        ("DELETE", secret, JSON),
    ):
        refused = api.refusal(method, path, huge, content_type=kind)
        assert (refused.code, refused.reason) == (413, "RequestEntityTooLarge"), method
        assert refused.message == "Request entity too large: limit is 3145728"
    assert not api.missing(secret)


def test_a_patch_may_be_as_large_as_a_body(api, secret):
    deep, room = nested(SIZE_MAX // 2 - 100), b" " * (SIZE_MAX - 100)
    head = b'{"apiVersion":"v1","kind":"Secret"'
    add = b'[{"op":"add","path":"/foo","value":'
    bodies = {
        JSON_PATCH: (add + deep + b"}]", add + b"0" + room + b"}]"),
        MERGE: (b'{"value":' + deep + b"}", b'{"value":0' + room + b"}"),
        STRATEGIC: (b'{"value":' + deep + b"}", b'{"value":0' + room + b"}"),
        APPLY: (b'{"value":' + deep + b"}", head + room + b"}"),
    }
    for kind, (bad, good) in bodies.items():
        query = {"fieldManager": "test"} if kind == APPLY else {}
        assert api.send("PATCH", secret, bad, content_type=kind, query=query).code in (400, 413), kind
        assert api.send("PATCH", secret, good, content_type=kind, query=query).code == 200, kind


def test_what_is_parsed_has_its_limits(api, core):
    text = b"\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: mytest\nvalues: "
    head = b'{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mytest"}, "values": '
    cases = [
        (YAML, text + b"[" * SIZE_MAX, 413),
        (YAML, text + nested(SIZE_MAX // 2 - 500), 400),
        (YAML, text + b"[" * (SIZE_MAX - 1000), 400),
        (JSON, head + nested(SIZE_MAX // 2) + b"}", 413),
        (JSON, head + nested(SIZE_MAX // 2 - 100) + b"}", 400),
        (JSON, head + b"[" * (SIZE_MAX - 1000) + b"}", 400),
    ]
    for number, (kind, body, code) in enumerate(cases):
        answer = api.send("POST", f"{core}/configmaps", body, content_type=kind, headers={"Accept": kind})
        assert answer.code == code, number


def test_a_json_patch_has_so_many_operations(api, secret):
    patch = [{"op": "add", "path": "/x", "value": "y"}] * 10_001
    refused = api.refusal("PATCH", secret, patch, content_type=JSON_PATCH)
    assert (refused.code, refused.reason) == (413, "RequestEntityTooLarge")
    assert "The allowed maximum operations in a JSON patch is 10000, got 10001" in refused.message


def test_patches_of_different_fields_are_made_one_after_the_other(api, core):
    api.create(f"{core}/secrets", {"metadata": {"name": "test", "annotations": {"initial": "value"}}})
    answers = {}

    def patch(number):
        value = str(uuid.uuid4())
        meta = {
            "labels": {f"label-{number}": value},
            "annotations": {"$patch": "replace", f"annotation-{number}": value},
        }
        body = json.dumps({"metadata": meta}).encode()
        answers[number] = value, api.send("PATCH", f"{core}/secrets/test", body, content_type=STRATEGIC)
        api.close()

    threads = [threading.Thread(target=patch, args=(number,)) for number in range(PATCHERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, (value, answer) in answers.items():
        assert answer.code == 200, answer.body
        meta = answer.object["metadata"]
        assert meta["labels"][f"label-{number}"] == value
        assert meta["annotations"] == {f"annotation-{number}": value}
    assert len(api.get(f"{core}/secrets/test")["metadata"]["labels"]) == PATCHERS
