"""ComponentStatus: how the parts of the control plane are, found out when somebody asks. It is stored nowhere.

Upstream asks the health pages of its programs, and so it knows three whether they run or not; what another part
says of itself here is whether it runs.
"""

from __future__ import annotations

from mamekube.apiserver.documents import Collection, Document, Made
from mamekube.apiserver.health import store_check
from mamekube.apiserver.options import ListOptions
from mamekube.apiserver.selecting import predicate
from mamekube.foundation.lifecycle import Component
from mamekube.kinds.core.componentstatuses import KIND
from mamekube.objects.status import StatusError
from mamekube.store.store import Store

SCHEDULER, CONTROLLERS, STORE = "scheduler", "controller-manager", "etcd-0"
GOOD = "ok"
NOT_RUNNING = "not running"


class Components:
    """The parts by upstream's names. Those that run elsewhere, or not at all, nobody has added."""

    def __init__(self, store: Store) -> None:
        self._ask_store = store_check(store)
        self._parts: dict[str, Component | None] = {SCHEDULER: None, CONTROLLERS: None}

    def add(self, name: str, component: Component) -> None:
        self._parts[name] = component

    async def get(self, name: str) -> Document:
        """Raises 500 for a part that does not exist, as upstream."""
        if name == STORE:
            return await self._store()
        if name not in self._parts:
            raise StatusError(500, "", f"Component not found: {name}")
        return self._part(name)

    async def list(self, options: ListOptions) -> Collection:
        """Raises 400 for a field that selects nothing."""
        selected = predicate(KIND, options)
        parts = [*map(self._part, self._parts), await self._store()]
        return Collection(KIND, [part for part in parts if selected is None or selected(part)], 0)

    def _part(self, name: str) -> Document:
        component = self._parts[name]
        if component is not None and component.running:
            return _described(name, healthy=True, message=GOOD)
        return _described(name, healthy=False, message=NOT_RUNNING)

    async def _store(self) -> Document:
        wrong = await self._ask_store()
        if wrong:
            return _described(STORE, healthy=False, error=wrong)
        return _described(STORE, healthy=True, message=GOOD)


def _described(name: str, *, healthy: bool, message: str = "", error: str = "") -> Document:
    said = {key: text for key, text in (("message", message), ("error", error)) if text}
    condition = {"type": "Healthy", "status": "True" if healthy else "False", **said}
    return Made(
        {"kind": KIND.kind, "apiVersion": "v1", "metadata": {"name": name}, "conditions": [condition]}
    )
