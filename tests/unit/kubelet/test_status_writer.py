"""What is sent to the API server of a status that changed."""

import asyncio

import pytest
from tests.unit.kubelet.kubelet_api import SmallApi, make_pod
from tests.virtual import on_virtual_time, settled

from mamekube.kubelet import api_resources as api
from mamekube.kubelet.status_writer import PATIENCE_S, StatusWriter, status_patch

READY = {"type": "Ready", "status": "True"}


def test_nothing_is_sent_where_nothing_changed():
    status = {"phase": "Running", "conditions": [READY, {"type": "other", "status": "True"}]}
    assert status_patch(status, {"phase": "Running", "conditions": [READY]}, uid="u") is None


def test_only_what_changed_is_sent_with_the_uid_as_a_precondition():
    old = {"phase": "Pending", "podIP": "10.0.0.1", "conditions": [READY]}
    new = {"phase": "Running", "podIP": "10.0.0.1", "conditions": [READY, {"type": "B", "status": "True"}]}
    assert status_patch(old, new, uid="u") == {
        "metadata": {"uid": "u"},
        "status": {"phase": "Running", "conditions": [{"type": "B", "status": "True"}]},
    }


def test_a_condition_loses_the_fields_it_no_longer_has():
    old = {"conditions": [{"type": "Ready", "status": "False", "reason": "why", "message": "m"}]}
    patch = status_patch(old, {"conditions": [READY]}, uid="u")
    assert patch["status"]["conditions"] == [{**READY, "reason": None, "message": None}]


def test_an_address_that_changes_replaces_the_old_one():
    patch = status_patch({"podIPs": [{"ip": "1.1.1.1"}]}, {"podIPs": [{"ip": "2.2.2.2"}]}, uid="u")
    assert patch["status"]["podIPs"] == [{"ip": "2.2.2.2"}, {"$patch": "replace"}]


@on_virtual_time
async def test_a_state_that_does_not_last_is_never_written():
    server = SmallApi()
    writer = StatusWriter(server, server.put(api.PODS, make_pod("p")))
    writer.set_later(lambda: {"phase": "Pending", "startTime": "x"})
    await settled()
    writer.set({"phase": "Running", "startTime": "x"})
    await writer.flush()
    assert server.requests.count(("patch", "pods", "p")) == 1
    assert server.pod("default/p")["status"]["phase"] == "Running"


@on_virtual_time
async def test_a_state_that_lasts_is_written_after_a_moment():
    server = SmallApi()
    writer = StatusWriter(server, server.put(api.PODS, make_pod("p")))
    writer.set_later(lambda: {"phase": "Pending", "startTime": "x"})
    await asyncio.sleep(PATIENCE_S + 0.01)
    assert server.pod("default/p")["status"]["startTime"] == "x"


@on_virtual_time
async def test_states_that_follow_each_other_are_written_ever_later():
    server = SmallApi()
    writer = StatusWriter(server, server.put(api.PODS, make_pod("p")))
    loop, writes = asyncio.get_running_loop(), []
    began_s = loop.time()
    for number in range(3):
        writer.set_later(lambda number=number: {"phase": "Pending", "startTime": str(number)})
        await writer._task
        writes.append(loop.time() - began_s)
    assert writes == pytest.approx([PATIENCE_S, 3 * PATIENCE_S, 7 * PATIENCE_S])
    writer.set({"phase": "Running"})
    await writer.flush()
    assert loop.time() - began_s == pytest.approx(writes[-1])


@on_virtual_time
async def test_another_pod_of_the_same_name_is_not_written_to():
    server = SmallApi()
    writer = StatusWriter(server, make_pod("p"))
    other = make_pod("p")
    other["metadata"]["uid"] = "other"
    server.put(api.PODS, other)
    writer.set({"phase": "Failed"})
    await writer.flush()
    assert server.pod("default/p")["status"] == {"phase": "Pending"}
