"""What to do after a write lost a race: wait until the winner can be read, and try again."""

from __future__ import annotations

import asyncio

from mamekube.store.backend import KeyMissing, RevisionMismatch
from mamekube.store.store import Store

LOST = (RevisionMismatch, KeyMissing)
TRIES_MAX = 5
"""Of a write. Upstream: MaxRetryWhenPatchConflicts."""

POLL_S = 0.001


async def settled(store: Store, lost: Exception) -> None:
    """Return when reads show what the lost write has run into.

    The backend refuses a write a moment before the store's cache has followed the one that won.
    """
    if isinstance(lost, RevisionMismatch):
        while store.revision < lost.current:  # noqa: ASYNC110 - the wait is below a millisecond
            await asyncio.sleep(POLL_S)
    else:
        await asyncio.sleep(POLL_S)
