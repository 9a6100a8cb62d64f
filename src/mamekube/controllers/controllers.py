"""All controllers of a cluster, and what they are told about it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from mamekube.client.client import Client
from mamekube.client.events import Recorder
from mamekube.client.informer import InformerFactory
from mamekube.controllers.bootstraptokens import BootstrapSigner, TokenCleaner
from mamekube.controllers.certificates.approving import CertificateApprovingController
from mamekube.controllers.certificates.authority import YEAR_S, Authority
from mamekube.controllers.certificates.cleaning import CertificateCleanerController
from mamekube.controllers.certificates.signing import CertificateSigningController
from mamekube.controllers.clusterroleaggregation import ClusterRoleAggregationController
from mamekube.controllers.cronjob import CronJobController
from mamekube.controllers.daemonset import DaemonSetController
from mamekube.controllers.deployment.controller import DeploymentController
from mamekube.controllers.disruption import DisruptionController
from mamekube.controllers.endpoints import EndpointsController
from mamekube.controllers.endpointslice import EndpointSliceController
from mamekube.controllers.endpointslicemirroring import EndpointSliceMirroringController
from mamekube.controllers.garbagecollector.controller import GarbageCollector
from mamekube.controllers.job.controller import JobController
from mamekube.controllers.legacytokens import LegacyTokenCleaner
from mamekube.controllers.namespace import NamespaceController
from mamekube.controllers.nodeipam import NodeIpamController
from mamekube.controllers.nodelifecycle import NodeLifecycleController
from mamekube.controllers.nodettl import NodeTtlController
from mamekube.controllers.podgc import PodGarbageCollector
from mamekube.controllers.replicaset import ReplicaSetController, ReplicationControllerController
from mamekube.controllers.resourcequota import ResourceQuotaController
from mamekube.controllers.rootca import RootCaPublisher
from mamekube.controllers.runtime import Context, Controller, Runtime
from mamekube.controllers.serviceaccount import ServiceAccountController
from mamekube.controllers.serviceaccounttoken import ServiceAccountTokenController
from mamekube.controllers.servicecidrs import ServiceCidrController
from mamekube.controllers.staledisruption import StaleDisruptionController
from mamekube.controllers.statefulset.controller import StatefulSetController
from mamekube.controllers.storageprotection import ClaimProtectionController, VolumeProtectionController
from mamekube.controllers.tainteviction import TaintEvictionController
from mamekube.controllers.ttlafterfinished import TtlAfterFinishedController
from mamekube.foundation.clock import Clock
from mamekube.foundation.lifecycle import Component


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllersConfig:
    """Facts about the cluster that the API does not tell."""

    cluster_cidr: str = "10.244.0.0/16"
    """Where nodes that bring no podCIDR get theirs from."""
    node_cidr_mask_size: int = 24
    root_ca: str = ""
    """PEM; published in every namespace as `kube-root-ca.crt`. Empty: not published."""
    service_account_key_file: str = ""
    """Signs the tokens of Secrets that are made to hold one. Empty: nobody fills these."""
    cluster_signing_certificate_file: str = ""
    """The CA that signs approved CertificateSigningRequests. Empty: nobody signs."""
    cluster_signing_key_file: str = ""
    cluster_signing_duration_s: float = YEAR_S
    """Certificates live no longer. Upstream: --cluster-signing-duration."""
    terminated_pods_max: int = 12500
    """Finished pods kept before the oldest are removed. Upstream: --terminated-pod-gc-threshold."""


ClientFor = Callable[[str], Client]
"""The client of one ServiceAccount in kube-system, by its name."""


class Controllers(Component):
    """Runs every controller on one set of informers.

    `client` reads for all of them. Each writes through the client that `client_for` answers for its own
    ServiceAccount, to which upstream's roles are bound; without it, through `client` too.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        *,
        config: ControllersConfig,
        client_for: ClientFor | None = None,
    ) -> None:
        super().__init__()
        self._informers = InformerFactory(client)
        self._recorder = Recorder(client, clock)

        def context(kind: type[Controller]) -> Context:
            writer = client_for(kind.account) if client_for is not None and kind.account else client
            return Context(client=writer, clock=clock, informers=self._informers, recorder=self._recorder)

        self.runtime = Runtime(self._informers, _controllers(context, config))
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        await self._stack.enter_async_context(self._recorder)
        # Controllers subscribe before the informers begin, so that no index has to be filled later.
        await self._stack.enter_async_context(self.runtime)
        await self._stack.enter_async_context(self._informers)
        for component in (self._recorder, self.runtime, self._informers):
            self.spawn(component.wait())

    async def stop(self) -> None:
        await self._stack.aclose()


def _controllers(
    context: Callable[[type[Controller]], Context], config: ControllersConfig
) -> list[Controller]:
    plain: tuple[type[Controller], ...] = (
        NamespaceController,
        ServiceAccountController,
        DeploymentController,
        ReplicaSetController,
        ReplicationControllerController,
        DaemonSetController,
        JobController,
        CronJobController,
        StatefulSetController,
        EndpointsController,
        EndpointSliceController,
        EndpointSliceMirroringController,
        NodeLifecycleController,
        TaintEvictionController,
        GarbageCollector,
        TtlAfterFinishedController,
        ClusterRoleAggregationController,
        DisruptionController,
        ResourceQuotaController,
        CertificateApprovingController,
        CertificateCleanerController,
        TokenCleaner,
        BootstrapSigner,
        ClaimProtectionController,
        VolumeProtectionController,
        ServiceCidrController,
        LegacyTokenCleaner,
        NodeTtlController,
        StaleDisruptionController,
    )
    controllers = [kind(context(kind)) for kind in plain]
    controllers += [
        NodeIpamController(
            context(NodeIpamController),
            cluster_cidr=config.cluster_cidr,
            mask_size=config.node_cidr_mask_size,
        ),
        PodGarbageCollector(context(PodGarbageCollector), terminated_max=config.terminated_pods_max),
    ]
    if config.cluster_signing_certificate_file:
        authority = Authority(
            certificate_file=Path(config.cluster_signing_certificate_file),
            key_file=Path(config.cluster_signing_key_file),
            lifetime_s_max=config.cluster_signing_duration_s,
        )
        signing = context(CertificateSigningController)
        controllers.append(CertificateSigningController(signing, authority=authority))
    if config.service_account_key_file:
        tokens = context(ServiceAccountTokenController)
        controllers.append(
            ServiceAccountTokenController(
                tokens, key_file=config.service_account_key_file, root_ca=config.root_ca
            )
        )
    if config.root_ca:
        controllers.append(RootCaPublisher(context(RootCaPublisher), root_ca=config.root_ca))
    return controllers
