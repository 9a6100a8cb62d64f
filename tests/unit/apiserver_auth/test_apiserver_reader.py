"""What admission reads with every write is kept, and is never old."""

from mamekube.apiserver import builtin
from mamekube.apiserver.mirror import ItemMirror


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


async def test_a_mirror_of_items_decodes_nothing_that_its_digest_does_not_read(world):
    told = []
    mirror = ItemMirror(
        world.store,
        builtin.PODS,
        digest=lambda item, old: b'"nodeName":"n1"' in item.value or None,
        handler=lambda old, new: told.append((old, new)),
    )
    async with mirror:
        for spec in ({}, {"nodeName": "n1"}, {}):
            await world.put("pods", {"metadata": {"name": "p", "namespace": "default"}, "spec": spec})
    assert told == [(None, True), (True, None)]
