"""The plugins of the product, in upstream's order."""

from __future__ import annotations

from mamekube.apiserver.access.authorization import Authorizer
from mamekube.apiserver.addresses import ServiceAddresses
from mamekube.apiserver.admission.certificates import (
    CertificateApproval,
    CertificateRequester,
    CertificateSigning,
    CertificateSubjectRestriction,
)
from mamekube.apiserver.admission.chain import Admission
from mamekube.apiserver.admission.default_toleration_seconds import DefaultTolerationSeconds
from mamekube.apiserver.admission.defaults import (
    DefaultIngressClass,
    DefaultStorageClass,
    RuntimeClass,
    StorageObjectInUseProtection,
)
from mamekube.apiserver.admission.escalation_check import EscalationCheck
from mamekube.apiserver.admission.limit_ranger import LimitRanger
from mamekube.apiserver.admission.mutating_policies import MutatingAdmissionPolicy
from mamekube.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from mamekube.apiserver.admission.node_restriction import NodeRestriction
from mamekube.apiserver.admission.persistent_volume_claim_resize import PersistentVolumeClaimResize
from mamekube.apiserver.admission.pod_security import PodSecurity
from mamekube.apiserver.admission.pod_topology_labels import PodTopologyLabels
from mamekube.apiserver.admission.policy_records import AdmissionPolicies
from mamekube.apiserver.admission.priority import Priority
from mamekube.apiserver.admission.resource_claims import ResourceClaimAccess
from mamekube.apiserver.admission.resource_quota import ResourceQuota
from mamekube.apiserver.admission.service_account import ServiceAccount
from mamekube.apiserver.admission.service_addresses import ServiceAddressAssignment
from mamekube.apiserver.admission.taint_nodes_by_condition import TaintNodesByCondition
from mamekube.apiserver.admission.validating_policies import ValidatingAdmissionPolicy
from mamekube.apiserver.admission.webhooks import (
    AdmissionWebhooks,
    MutatingAdmissionWebhook,
    ValidatingAdmissionWebhook,
)
from mamekube.apiserver.writes import Reader
from mamekube.store.store import Store


def admission(
    reader: Reader,
    authorizer: Authorizer,
    addresses: ServiceAddresses,
    store: Store,
    webhooks: AdmissionWebhooks,
    policies: AdmissionPolicies,
) -> Admission:
    """The default chain.

    The first four are no plugins upstream but part of the storage of their kinds, which comes between mutating
    and validating admission, so they are the first to validate. ResourceQuota is last, since it charges.
    """
    return Admission(
        (
            EscalationCheck(authorizer),
            ServiceAddressAssignment(addresses),
            CertificateRequester(),
            ResourceClaimAccess(reader, authorizer),
            NamespaceLifecycle(reader),
            LimitRanger(reader),
            ServiceAccount(reader),
            NodeRestriction(reader),
            TaintNodesByCondition(),
            PodSecurity(reader),
            Priority(reader),
            DefaultTolerationSeconds(),
            DefaultStorageClass(reader),
            StorageObjectInUseProtection(),
            PersistentVolumeClaimResize(reader),
            RuntimeClass(reader),
            CertificateApproval(authorizer),
            CertificateSigning(authorizer),
            CertificateSubjectRestriction(),
            DefaultIngressClass(reader),
            PodTopologyLabels(reader),
            MutatingAdmissionPolicy(policies.mutating, reader, authorizer),
            MutatingAdmissionWebhook(webhooks.mutating, webhooks.client, reader, authorizer),
            ValidatingAdmissionPolicy(policies.validating, reader, authorizer),
            ValidatingAdmissionWebhook(webhooks.validating, webhooks.client, reader, authorizer),
            ResourceQuota(reader, store),
        )
    )
