"""Watches: what they tell, from when, and in which order."""

import threading

import pytest

LABEL = "watch-this-configmap"


def config_map(name, label="", **data):
    labels = {LABEL: label} if label else {}
    return {"metadata": {"name": name, "labels": labels}, "data": data}


def revision(obj):
    return int(obj["metadata"]["resourceVersion"])


@pytest.mark.conformance("watch-configmaps-with-multiple-watchers")
def test_watchers_with_selectors_see_the_objects_they_select(api, core):
    maps = f"{core}/configmaps"
    with (
        api.watch(maps, labelSelector=f"{LABEL}=A") as of_a,
        api.watch(maps, labelSelector=f"{LABEL}=B") as of_b,
        api.watch(maps, labelSelector=f"{LABEL} in (A,B)") as of_both,
    ):
        api.create(maps, config_map("a", "A"))
        api.patch(f"{maps}/a", {"data": {"mutation": "1"}})
        api.patch(f"{maps}/a", {"data": {"mutation": "2"}})
        api.delete(f"{maps}/a")
        api.create(maps, config_map("other", "C"))
        api.create(maps, config_map("b", "B"))
        api.delete(f"{maps}/b")
        seen_a, seen_b, seen_both = of_a.take(4), of_b.take(2), of_both.take(6)
    kinds = ["ADDED", "MODIFIED", "MODIFIED", "DELETED"]
    assert [kind for kind, _ in seen_a] == kinds
    assert [obj.get("data", {}).get("mutation") for _, obj in seen_a] == [None, "1", "2", "2"]
    assert [(kind, obj["metadata"]["name"]) for kind, obj in seen_b] == [("ADDED", "b"), ("DELETED", "b")]
    assert seen_both == seen_a + seen_b


@pytest.mark.conformance("watch-configmaps-from-resource-version")
def test_a_watch_from_a_revision_tells_only_what_came_after(api, core):
    maps = f"{core}/configmaps"
    api.create(maps, config_map("a", "from"))
    first = api.patch(f"{maps}/a", {"data": {"mutation": "1"}})
    second = api.patch(f"{maps}/a", {"data": {"mutation": "2"}})
    gone = api.delete(f"{maps}/a")
    assert gone["status"] == "Success"
    since = first["metadata"]["resourceVersion"]
    with api.watch(maps, labelSelector=f"{LABEL}=from", resourceVersion=since) as watch:
        (modified, changed), (deleted, last) = watch.take(2)
    assert (modified, changed) == ("MODIFIED", second)
    assert deleted == "DELETED"
    assert last["data"] == {"mutation": "2"}
    assert revision(last) > revision(second)


@pytest.mark.conformance("watch-configmaps-closed-and-restarted")
def test_a_watch_goes_on_from_the_last_revision_seen(api, core):
    maps = f"{core}/configmaps"
    with api.watch(maps, labelSelector=f"{LABEL}=again") as watch:
        api.create(maps, config_map("a", "again"))
        api.patch(f"{maps}/a", {"data": {"mutation": "1"}})
        assert [kind for kind, _ in watch.take(1)] == ["ADDED"]
        kind, seen = watch.next()
        assert kind == "MODIFIED"
    api.patch(f"{maps}/a", {"data": {"mutation": "2"}})
    api.delete(f"{maps}/a")
    since = seen["metadata"]["resourceVersion"]
    with api.watch(maps, labelSelector=f"{LABEL}=again", resourceVersion=since) as watch:
        rest = watch.take(2)
    assert [kind for kind, _ in rest] == ["MODIFIED", "DELETED"]
    assert rest[0][1]["data"] == {"mutation": "2"}


@pytest.mark.conformance("watch-configmaps-label-changed")
def test_an_object_that_is_not_selected_any_more_is_deleted_to_the_watcher(api, core):
    maps = f"{core}/configmaps"
    with api.watch(maps, labelSelector=f"{LABEL}=in") as watch:
        api.create(maps, config_map("a", "in"))
        api.patch(f"{maps}/a", {"data": {"mutation": "1"}})
        api.patch(f"{maps}/a", {"metadata": {"labels": {LABEL: "out"}}})
        api.patch(f"{maps}/a", {"data": {"mutation": "2"}})
        api.patch(f"{maps}/a", {"metadata": {"labels": {LABEL: "in"}}})
        api.patch(f"{maps}/a", {"data": {"mutation": "3"}})
        api.delete(f"{maps}/a")
        seen = watch.take(6)
    assert [(kind, obj.get("data", {}).get("mutation")) for kind, obj in seen] == [
        ("ADDED", None),
        ("MODIFIED", "1"),
        ("DELETED", "1"),
        ("ADDED", "2"),
        ("MODIFIED", "3"),
        ("DELETED", "3"),
    ]


def write_for_a_while(api, maps, count):
    """Creates, changes and deletions of several objects, in turn."""
    for number in range(count):
        name = f"w{number % 7}"
        answer = api.send("POST", maps, config_map(name, number=str(number)))
        if answer.code == 409 and number % 3:
            api.patch(f"{maps}/{name}", {"data": {"number": str(number)}})
        elif answer.code == 409:
            api.delete(f"{maps}/{name}")
    api.close()


@pytest.mark.conformance("watch-consistency")
def test_concurrent_watches_tell_the_same_in_the_same_order(api, core):
    """Each watch starts at the revision of one event of the first, and has to go on with the events after it."""
    maps, count = f"{core}/configmaps", 100
    start = api.get(maps)["metadata"]["resourceVersion"]
    writer = threading.Thread(target=write_for_a_while, args=(api, maps, count))
    writer.start()
    with api.watch(maps, resourceVersion=start) as first:
        reference = first.take(count)
    writer.join()
    revisions = [revision(obj) for _, obj in reference]
    assert revisions == sorted(set(revisions))
    for position in range(0, count - 1, 5):
        since = reference[position][1]["metadata"]["resourceVersion"]
        with api.watch(maps, resourceVersion=since) as later:
            assert later.take(count - 1 - position) == reference[position + 1 :]
