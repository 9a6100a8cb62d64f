"""All kinds that an API server serves: the built-in ones, and those that custom resources add at run time.

Discovery order is the order of `BUILTIN`, then custom groups by name; within a group, newer and more stable
versions first. The registry knows kinds only as records; it never looks into an object.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import import_module

from mamekube.kinds.kind import Kind

BUILTIN: tuple[tuple[str, str], ...] = (
    (
        "core",
        "bindings componentstatuses configmaps endpoints events limitranges namespaces nodes "
        "persistentvolumeclaims persistentvolumes pods podtemplates replicationcontrollers resourcequotas "
        "secrets serviceaccounts services",
    ),
    ("apiregistration", "apiservices"),
    ("apps", "controllerrevisions daemonsets deployments replicasets statefulsets"),
    ("events", "events"),
    ("authentication", "selfsubjectreviews tokenreviews"),
    (
        "authorization",
        "localsubjectaccessreviews selfsubjectaccessreviews selfsubjectrulesreviews subjectaccessreviews",
    ),
    ("autoscaling", "horizontalpodautoscalers horizontalpodautoscalers_v1"),
    ("batch", "cronjobs jobs"),
    ("certificates", "certificatesigningrequests"),
    ("networking", "ingressclasses ingresses ipaddresses networkpolicies servicecidrs"),
    ("policy", "poddisruptionbudgets"),
    ("rbac", "clusterrolebindings clusterroles rolebindings roles"),
    (
        "storage",
        "csidrivers csinodes csistoragecapacities storageclasses volumeattachments volumeattributesclasses",
    ),
    (
        "admissionregistration",
        "mutatingadmissionpolicies mutatingadmissionpolicybindings mutatingwebhookconfigurations "
        "validatingadmissionpolicies validatingadmissionpolicybindings validatingwebhookconfigurations",
    ),
    ("apiextensions", "customresourcedefinitions"),
    ("scheduling", "priorityclasses"),
    ("coordination", "leases"),
    ("node", "runtimeclasses"),
    ("discovery", "endpointslices"),
    ("resource", "deviceclasses resourceclaims resourceclaimtemplates resourceslices"),
    ("flowcontrol", "flowschemas prioritylevelconfigurations"),
)
"""(package, modules) in the order in which discovery lists groups and resources."""

_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?\Z")
_STABILITY = {None: 0, "beta": 1, "alpha": 2}


class Registry:
    """Kinds by resource and by kind. Adding a kind that is there already replaces it."""

    def __init__(self) -> None:
        self._by_plural: dict[tuple[str, str, str], Kind] = {}
        self._by_kind: dict[tuple[str, str, str], Kind] = {}
        self._builtin_groups: dict[str, int] = {}
        self._builtin_versions: set[tuple[str, str]] = set()
        self._builtin_resources: set[tuple[str, str]] = set()
        self._unlisted: set[tuple[str, str, str]] = set()

    def add(self, kind: Kind, *, listed: bool = True) -> None:
        """Where it is not listed, it is found by those who know of it and by nobody else."""
        place = (kind.group, kind.version, kind.plural)
        self._by_plural[place] = kind
        self._by_kind[kind.group, kind.version, kind.kind] = kind
        if listed:
            self._unlisted.discard(place)
        else:
            self._unlisted.add(place)

    def add_builtin(self, kind: Kind) -> None:
        """Add a kind whose group discovery lists in order of arrival, before every custom one."""
        self._builtin_groups.setdefault(kind.group, len(self._builtin_groups))
        self._builtin_versions.add((kind.group, kind.version))
        self._builtin_resources.add((kind.group, kind.plural))
        self.add(kind)

    def is_builtin(self, group: str) -> bool:
        return group in self._builtin_groups

    def is_builtin_version(self, group: str, version: str) -> bool:
        return (group, version) in self._builtin_versions

    def is_builtin_resource(self, group: str, plural: str) -> bool:
        """Whether it is one in any version."""
        return (group, plural) in self._builtin_resources

    def remove(self, kind: Kind) -> None:
        self._by_plural.pop((kind.group, kind.version, kind.plural), None)
        self._by_kind.pop((kind.group, kind.version, kind.kind), None)
        self._unlisted.discard((kind.group, kind.version, kind.plural))

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        return self._by_plural.get((group, version, plural))

    def find_kind(self, group: str, version: str, kind: str) -> Kind | None:
        return self._by_kind.get((group, version, kind))

    def all(self) -> Iterable[Kind]:
        """Those that are listed, in discovery order."""
        order = {
            (group, version): position
            for position, (group, version) in enumerate(
                (group, version) for group, versions in self.group_versions() for version in versions
            )
        }
        # The sort is stable: within a version, resources stay in order of arrival.
        listed = (kind for place, kind in self._by_plural.items() if place not in self._unlisted)
        return sorted(listed, key=lambda kind: order[kind.group, kind.version])

    def group_versions(self) -> list[tuple[str, list[str]]]:
        """Groups in discovery order, each with its versions, the preferred one first."""
        versions: dict[str, set[str]] = {}
        for place in self._by_plural.keys() - self._unlisted:
            versions.setdefault(place[0], set()).add(place[1])
        last = len(self._builtin_groups)
        groups = sorted(versions, key=lambda group: (self._builtin_groups.get(group, last), group))
        return [(group, sorted(versions[group], key=version_rank)) for group in groups]


def version_rank(version: str) -> tuple[int, int, int, str]:
    """A sort key that puts the best version first: v2, v1, v2beta1, v1beta2, v1alpha1, then others by name."""
    match = _VERSION.match(version)
    if match is None:
        return (3, 0, 0, version)
    major, stability, minor = match.groups()
    return (_STABILITY[stability], -int(major), -int(minor or 0), "")


def builtin_registry() -> Registry:
    """A new registry with every built-in kind."""
    registry = Registry()
    for package, modules in BUILTIN:
        for module in modules.split():
            registry.add_builtin(import_module(f"mamekube.kinds.{package}.{module}").KIND)
    return registry
