"""What a controller has asked for and its cache has not shown yet.

A controller that creates pods must not count them again before its cache has seen the ones it created, or a slow
watch makes it create too many. It notes what it asks for, each event of the cache crosses something off, and until
nothing is left it does not create or delete. The contract is that of upstream's `ControllerExpectations`; deletions
are noted by uid, so that an update of a pod that is being deleted is not counted twice.

Invariant: an expectation that is never met holds for `EXPIRY_S` at most, so a lost event delays and never blocks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

EXPIRY_S = 300.0
"""Upstream: ExpectationsTimeout, five minutes: far above the delay of any watch."""


@dataclass(slots=True)
class _Expected:
    creations: int = 0
    deletions: set[str] = field(default_factory=set)
    noted_s: float = 0.0


class Expectations:
    """Expectations by the key of the object for which they are held. Time is the running loop's."""

    def __init__(self) -> None:
        self._expected: dict[str, _Expected] = {}

    def expect_creations(self, key: str, count: int) -> None:
        """In place of the creations expected so far."""
        expected = self._expected.setdefault(key, _Expected())
        expected.creations, expected.noted_s = count, asyncio.get_running_loop().time()

    def expect_deletions(self, key: str, uids: Iterable[str]) -> None:
        """In place of the deletions expected so far."""
        expected = self._expected.setdefault(key, _Expected())
        expected.deletions, expected.noted_s = set(uids), asyncio.get_running_loop().time()

    def created(self, key: str, count: int = 1) -> None:
        """A creation was seen, or has failed and will never be."""
        expected = self._expected.get(key)
        if expected is not None:
            expected.creations -= count

    def deleted(self, key: str, uid: str) -> None:
        """A deletion was seen, or has failed and will never be."""
        expected = self._expected.get(key)
        if expected is not None:
            expected.deletions.discard(uid)

    def satisfied(self, key: str) -> bool:
        """Whether the cache shows everything that was asked for, or has had time enough to."""
        expected = self._expected.get(key)
        if expected is None or (expected.creations <= 0 and not expected.deletions):
            return True
        return asyncio.get_running_loop().time() - expected.noted_s > EXPIRY_S

    def forget(self, key: str) -> None:
        self._expected.pop(key, None)
