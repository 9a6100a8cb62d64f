"""A watch of one key is told of a change once, whatever longer keys are watched beside it."""

from dataclasses import dataclass

from mamekube.store.watchers import Watchers


@dataclass(frozen=True)
class Written:
    key: str
    revision: int


async def test_a_key_that_is_shorter_than_other_watched_ones_is_told_once() -> None:
    watchers: Watchers[Written] = Watchers(pending_max=10)
    watcher = watchers.add("/registry/apps/deployments/default/a", after=0)
    for longer in (
        "/registry/core/configmaps/kube-system/long",
        "/registry/core/configmaps/kube-system/longer",
    ):
        watchers.add(longer, after=0)
    event = Written("/registry/apps/deployments/default/a", 1)
    watchers.publish([event])
    assert await anext(watcher) == [event]
