"""Events, of the core group and of their own."""

import pytest
from tests.conformance.api import STRATEGIC

TIME = "2026-01-01T00:00:00.000000Z"


@pytest.fixture
def events(namespace):
    return f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"


def event(name, namespace, **fields):
    """Of events.k8s.io."""
    return {
        "metadata": {"name": name, "labels": {"testevent-set": "true"}},
        "regarding": {"kind": "Pod", "name": "testPod", "namespace": namespace},
        "eventTime": TIME,
        "note": f"This is {name}",
        "action": "Do",
        "reason": "Test",
        "type": "Normal",
        "reportingController": "test-controller",
        "reportingInstance": "test-node",
        **fields,
    }


def core_event(name, namespace):
    return {
        "metadata": {"name": name, "labels": {"testevent-constant": "true"}},
        "involvedObject": {"kind": "Pod", "name": "testPod", "namespace": namespace},
        "message": f"This is {name}",
        "reason": "Test",
        "type": "Normal",
        "count": 1,
    }


@pytest.mark.conformance("New Event resource lifecycle, testing a single event")
def test_an_event_is_created_patched_updated_and_deleted(api, events, namespace):
    api.create(events, event("one", namespace))
    everywhere = api.items(
        "/apis/events.k8s.io/v1/events", fieldSelector="reportingController=test-controller"
    )
    assert [one["note"] for one in everywhere] == ["This is one"]
    patch = {"series": {"count": 2, "lastObservedTime": TIME}}
    patched = api.patch(f"{events}/one", patch, content_type=STRATEGIC)
    assert patched["series"]["count"] == 2
    obj = api.get(f"{events}/one")
    obj["series"] = {"count": 100, "lastObservedTime": "2026-01-01T00:00:01.000000Z"}
    api.update(f"{events}/one", obj)
    assert api.get(f"{events}/one")["series"] == obj["series"]
    note = {"note": "This is a patched event"}
    assert "field is immutable" in api.refusal("PATCH", f"{events}/one", note, content_type=STRATEGIC).message
    api.delete(f"{events}/one")
    assert api.items(events) == []


@pytest.mark.conformance("New Event resource lifecycle, testing a list of events")
def test_events_are_deleted_together(api, events, namespace):
    for number in range(3):
        api.create(events, event(f"test-event-{number}", namespace))
    selector = "testevent-set=true"
    assert len(api.items(events, labelSelector=selector)) == 3
    api.delete(events, labelSelector=selector)
    assert api.items(events, labelSelector=selector) == []


@pytest.mark.conformance("Event, delete a collection")
def test_core_events_are_deleted_together(api, core, namespace):
    for number in range(3):
        api.create(f"{core}/events", core_event(f"test-event-{number}", namespace))
    selector = "testevent-constant=true"
    assert len(api.items(f"{core}/events", labelSelector=selector)) == 3
    api.delete(f"{core}/events", labelSelector=selector)
    assert api.items(f"{core}/events", labelSelector=selector) == []


@pytest.mark.conformance("Event, manage lifecycle of an Event")
def test_a_core_event_is_created_patched_updated_and_deleted(api, core, namespace, unique):
    obj = core_event("one", namespace)
    obj["metadata"]["labels"] = {"test": unique}
    api.create(f"{core}/events", obj)
    (found,) = api.items("/api/v1/events", labelSelector=f"test={unique}")
    assert found["message"] == "This is one"
    api.patch(f"{core}/events/one", {"message": "This is a patched event"}, content_type=STRATEGIC)
    obj = api.get(f"{core}/events/one")
    assert obj["message"] == "This is a patched event"
    obj["series"] = {"count": 100, "lastObservedTime": TIME}
    api.update(f"{core}/events/one", obj)
    assert api.get(f"{core}/events/one")["series"] == obj["series"]
    api.delete(f"{core}/events/one")
    assert api.items("/api/v1/events", labelSelector=f"test={unique}") == []
