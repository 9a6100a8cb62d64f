"""The plugins of the product, in upstream's order."""

from __future__ import annotations

from mamekube.apiserver.addresses import ServiceAddresses
from mamekube.apiserver.admission.chain import Admission
from mamekube.apiserver.admission.default_toleration_seconds import DefaultTolerationSeconds
from mamekube.apiserver.admission.defaults import (
    DefaultIngressClass,
    DefaultStorageClass,
    RuntimeClass,
    StorageObjectInUseProtection,
)
from mamekube.apiserver.admission.escalation_check import EscalationCheck
from mamekube.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from mamekube.apiserver.admission.priority import Priority
from mamekube.apiserver.admission.service_account import ServiceAccount
from mamekube.apiserver.admission.service_addresses import ServiceAddressAssignment
from mamekube.apiserver.admission.taint_nodes_by_condition import TaintNodesByCondition
from mamekube.apiserver.authorization import Authorizer
from mamekube.apiserver.writes import Reader


def admission(reader: Reader, authorizer: Authorizer, addresses: ServiceAddresses) -> Admission:
    """The default chain. The first two are no plugins upstream but part of the storage of their kinds, which
    comes between mutating and validating admission, so they are the first to validate."""
    return Admission(
        (
            EscalationCheck(authorizer),
            ServiceAddressAssignment(addresses),
            NamespaceLifecycle(reader),
            ServiceAccount(reader),
            TaintNodesByCondition(),
            DefaultTolerationSeconds(),
            DefaultStorageClass(reader),
            StorageObjectInUseProtection(),
            Priority(reader),
            RuntimeClass(reader),
            DefaultIngressClass(reader),
        )
    )
