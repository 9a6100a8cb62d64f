"""The patch of apply: what was added, changed and dropped since the configuration was applied last."""

import pytest

from mamekube.kubectl.threeway import three_way_patch


def spec(*containers, **fields):
    return {"spec": {"containers": [dict(container) for container in containers], **fields}}


CASES = {
    "nothing to do": ({"data": {"a": "1"}}, {"data": {"a": "1"}}, {"data": {"a": "1"}, "status": {}}, {}),
    "an added field": ({}, {"data": {"a": "1"}}, {}, {"data": {"a": "1"}}),
    "a changed field": ({"a": 1}, {"a": 2}, {"a": 1}, {"a": 2}),
    "a dropped field": ({"a": 1, "b": 1}, {"a": 1}, {"a": 1, "b": 1}, {"b": None}),
    "a field that others set stays": ({"a": 1}, {"a": 1}, {"a": 1, "b": 1}, {}),
    "a field that is gone already": ({"a": 1, "b": 1}, {"a": 1}, {"a": 1}, {}),
    "a list without keys is replaced": ({"l": [1]}, {"l": [1, 2]}, {"l": [1]}, {"l": [1, 2]}),
    "an entry changes by its key": (
        spec({"name": "a", "image": "x:1"}),
        spec({"name": "a", "image": "x:2"}),
        spec({"name": "a", "image": "x:1", "resources": {}}),
        {
            "spec": {
                "$setElementOrder/containers": [{"name": "a"}],
                "containers": [{"name": "a", "image": "x:2"}],
            }
        },
    ),
    "an entry is dropped by its key": (
        spec({"name": "a"}, {"name": "b"}),
        spec({"name": "a"}),
        spec({"name": "a"}, {"name": "b"}, {"name": "injected"}),
        {
            "spec": {
                "$setElementOrder/containers": [{"name": "a"}],
                "containers": [{"$patch": "delete", "name": "b"}],
            }
        },
    ),
}


@pytest.mark.parametrize(("applied", "wanted", "live", "patch"), CASES.values(), ids=CASES)
def test_patches(applied, wanted, live, patch):
    assert three_way_patch(applied, wanted, live) == patch
