"""The escalation check of roles and bindings, at its place in the chain: after every mutation."""

from __future__ import annotations

from mamekube.apiserver.access import escalation
from mamekube.apiserver.access.authorization import Authorizer
from mamekube.apiserver.admission.plugin import CREATE_AND_UPDATE, Plugin
from mamekube.apiserver.builtin import RBAC_GROUP
from mamekube.apiserver.writes import Write


class EscalationCheck(Plugin):
    name = "EscalationCheck"
    operations = CREATE_AND_UPDATE
    resources = frozenset(
        f"{plural}.{RBAC_GROUP}" for plural in (*escalation.ROLE_PLURALS, *escalation.BINDING_PLURALS)
    )

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    async def validate(self, write: Write) -> None:
        escalation.check(write, self._authorizer)
