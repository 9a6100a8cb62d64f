"""What admission reads with every write is kept, and is never old."""

from mamekube.apiserver import builtin
from mamekube.apiserver.mirror import Mirror


async def test_a_list_is_read_again_only_after_a_change(world):
    first = {"metadata": {"name": "first", "namespace": "default"}, "spec": {}}
    await world.put("limitranges", first)
    kept = await world.reader.list(builtin.LIMIT_RANGES, namespace="default")
    assert [obj["metadata"]["name"] for obj in kept] == ["first"]
    await world.account("somebody")
    assert await world.reader.list(builtin.LIMIT_RANGES, namespace="default") is kept
    await world.remove("limitranges", "first", namespace="default")
    assert not list(await world.reader.list(builtin.LIMIT_RANGES, namespace="default"))


async def test_a_namespace_does_not_see_the_list_of_another(world):
    await world.put("limitranges", {"metadata": {"name": "one", "namespace": "a"}, "spec": {}})
    assert not list(await world.reader.list(builtin.LIMIT_RANGES, namespace="b"))
    assert len(list(await world.reader.list(builtin.LIMIT_RANGES, namespace="a"))) == 1


async def test_a_mirror_looks_only_at_what_has_its_marker_and_forgets_what_loses_it(world):
    looked: list[str] = []

    def digest(pod, old):
        looked.append(pod["metadata"]["name"])
        return pod["spec"]["nodeName"]

    told = []
    mirror = Mirror(
        world.store,
        builtin.PODS,
        digest=digest,
        handler=lambda old, new: told.append((old, new)),
        marker=b'"nodeName":"',
    )
    async with mirror:
        await world.put("pods", {"metadata": {"name": "waiting", "namespace": "default"}, "spec": {}})
        await world.put(
            "pods", {"metadata": {"name": "bound", "namespace": "default"}, "spec": {"nodeName": "n1"}}
        )
        await world.put("pods", {"metadata": {"name": "bound", "namespace": "default"}, "spec": {}})
    assert looked == ["bound"]
    assert told == [(None, "n1"), ("n1", None)]
