"""A request with much to do holds up nobody: while it is worked on, others are answered."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.apiserver.samples import config_map

from mamekube.apiserver import objectmeta, ownership, patching
from mamekube.apiserver.formats import codec, fieldvalidation
from mamekube.foundation.limits import BODY_VALUES_MAX, HEAVY_BYTES
from mamekube.foundation.protowire import delimited
from mamekube.kinds.podspec import defaults
from mamekube.objects.patches import managed_fields, strategic
from mamekube.objects.status import StatusError

MAPS = "/api/v1/namespaces/default/configmaps"
LARGE = "x" * HEAVY_BYTES
WAIT_S = 20


class Gate:
    """Holds the work until another request is answered: on the event loop that would never come."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def before(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def held(*args: Any, **kwargs: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                self.reached.set()
                assert self.opened.wait(WAIT_S)
            return work(*args, **kwargs)

        return held


async def answered_meanwhile(web: Any, gate: Gate, request: Any) -> Any:
    """The answer to `request`, which came to the gate and was held there while another was answered."""
    pending = asyncio.ensure_future(request)
    assert await asyncio.to_thread(gate.reached.wait, WAIT_S)
    assert (await web.send("GET", "/version")).code == 200
    gate.opened.set()
    return await pending


@pytest.mark.parametrize(
    ("room", "work"),
    [
        (fieldvalidation, "decode"),
        (ownership, "note_create"),
        (objectmeta, "validate"),
    ],
)
async def test_others_are_answered_while_a_large_object_is_created(web, monkeypatch, room, work):
    gate = Gate()
    monkeypatch.setattr(room, work, gate.before(getattr(room, work)))
    answer = await answered_meanwhile(web, gate, web.send("POST", MAPS, config_map("large", text=LARGE)))
    assert answer.code == 201


@pytest.mark.parametrize(
    ("room", "work", "content_type"),
    [
        (patching, "check_patched", "application/merge-patch+json"),
        (strategic, "apply", "application/strategic-merge-patch+json"),
        (managed_fields.typed, "fields_of", "application/apply-patch+yaml"),
    ],
)
async def test_others_are_answered_while_a_large_object_is_changed_a_little(
    web, monkeypatch, room, work, content_type
):
    assert (await web.send("POST", MAPS, config_map("large", text=LARGE))).code == 201
    gate = Gate()
    monkeypatch.setattr(room, work, gate.before(getattr(room, work)))
    patch = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"more": "y"}}
    sent = web.send("PATCH", f"{MAPS}/large?fieldManager=m", patch, headers={"Content-Type": content_type})
    answer = await answered_meanwhile(web, gate, sent)
    assert answer.code == 200
    assert answer.body["data"] == {"text": LARGE, "more": "y"}


async def test_what_is_small_is_done_at_once(web, monkeypatch):
    gate = Gate()
    monkeypatch.setattr(fieldvalidation, "decode", gate.before(fieldvalidation.decode))
    assert (await web.send("POST", MAPS, config_map("small", text="x"))).code == 201
    assert not gate.reached.is_set()


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"data":[%b{}]}' % (b"{}," * BODY_VALUES_MAX)),
        ("application/yaml", b"data: [%b]" % (b"a," * (BODY_VALUES_MAX + 1))),
        ("application/vnd.kubernetes.protobuf", None),
    ],
)
def test_a_body_of_too_many_values_is_refused(content_type, body):
    with pytest.raises(StatusError, match=r"max number of values|excessive aliasing") as refused:
        codec.decode(body or _pod_of_empty_containers(BODY_VALUES_MAX + 1), content_type)
    assert refused.value.code == 400


def _pod_of_empty_containers(count: int) -> bytes:
    pod = delimited(2, delimited(2, b"") * count)
    return b"k8s\0" + delimited(1, delimited(1, b"v1") + delimited(2, b"Pod")) + delimited(2, pod)


def test_commas_in_a_text_are_no_values():
    text = b'{"data":{"text":"%b"}}' % (b"," * (BODY_VALUES_MAX + 1))
    assert len(codec.decode(text, "application/json")["data"]["text"]) == BODY_VALUES_MAX + 1


@pytest.mark.parametrize(
    ("content_type", "start", "heavy"),
    [
        ("application/yaml", b"a: ", True),
        ("application/yaml", b"{a: ", True),
        ("application/YAML", b"a: ", True),
        ("application/apply-patch+yaml", b"a: ", True),
        ("application/apply-patch+yaml", b'{"a":', False),
        ("application/json", b'{"a":', False),
    ],
)
def test_what_is_read_as_yaml_is_heavy_sooner(content_type, start, heavy):
    body = start.ljust(HEAVY_BYTES // 2)
    assert bool(codec.heavy_bytes(body, content_type)) == heavy


async def test_others_are_answered_while_a_large_object_is_made_by_an_apply(web, monkeypatch):
    gate = Gate()
    monkeypatch.setattr(defaults, "default_pod_spec", gate.before(defaults.default_pod_spec))
    spec = {"containers": [{"name": "a", "image": "b", "args": [LARGE]}]}
    body = {
        "apiVersion": "v1",
        "kind": "PodTemplate",
        "metadata": {"name": "large"},
        "template": {"spec": spec},
    }
    headers = {"Content-Type": "application/apply-patch+yaml"}
    path = "/api/v1/namespaces/default/podtemplates/large?fieldManager=m"
    answer = await answered_meanwhile(web, gate, web.send("PATCH", path, body, headers=headers))
    assert answer.code == 201
