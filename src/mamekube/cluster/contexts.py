"""The user's kubeconfig: a cluster, a user and a context for each profile, all named after it, as minikube does."""

from __future__ import annotations

import base64
from pathlib import Path

from mamekube.client import kubeconfig
from mamekube.cluster.profiles import Profile


def add(profile: Profile, *, make_current: bool) -> None:
    """Put the profile's context into `$KUBECONFIG` or `~/.kube/config`; what else is there stays."""
    kubeconfig.add_context(
        profile.name,
        cluster={"server": profile.server, "certificate-authority-data": _encoded(profile, "ca.crt")},
        user={
            "client-certificate-data": _encoded(profile, "admin.crt"),
            "client-key-data": _encoded(profile, "admin.key"),
        },
        make_current=make_current,
    )


def remove(name: str) -> None:
    kubeconfig.remove_context(name)


def state(profile: Profile) -> str:
    """`Configured`, or `Misconfigured` where kubectl would reach another cluster, or none, by the profile's name."""
    try:
        found = kubeconfig.load_kubeconfig(context=profile.name)
    except (OSError, ValueError, kubeconfig.KubeconfigError):
        return "Misconfigured"
    return "Configured" if found.server == profile.server else "Misconfigured"


def _encoded(profile: Profile, name: str) -> str:
    return base64.b64encode(Path(profile.certificates, name).read_bytes()).decode()
