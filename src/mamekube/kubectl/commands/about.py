"""What there is: version, cluster-info, api-resources, api-versions, config."""

from __future__ import annotations

from mamekube.kubectl import tabs
from mamekube.kubectl.discovery import Found
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session

CLIENT_VERSION = "v1.36.2"
VERSION_FLAGS = (Flag("client", "bool"), Flag("output", short="o"))
API_RESOURCES_FLAGS = (
    Flag("api-group"),
    Flag("namespaced", "bool"),
    Flag("output", short="o"),
    Flag("no-headers", "bool"),
    Flag("verbs", "list"),
    Flag("sort-by"),
    Flag("cached", "bool"),
)


def run_version(session: Session) -> int:
    session.print(f"Client Version: {CLIENT_VERSION}")
    session.print("Kustomize Version: none")
    if not session.flag("client"):
        session.print(f"Server Version: {session.api.get('/version')['gitVersion']}")
    return 0


def run_cluster_info(session: Session) -> int:
    server = session.config.server
    session.print(f"Kubernetes control plane is running at {server}")
    query = {"labelSelector": "kubernetes.io/cluster-service=true"}
    for service in session.api.get("/api/v1/namespaces/kube-system/services", query=query)["items"]:
        name = service["metadata"]["labels"].get("kubernetes.io/name") or service["metadata"]["name"]
        port = service["spec"]["ports"][0].get("name", "")
        subject = f"{service['metadata']['name']}:{port}" if port else service["metadata"]["name"]
        session.print(f"{name} is running at {server}/api/v1/namespaces/kube-system/services/{subject}/proxy")
    session.print()
    session.print("To further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.")
    return 0


def run_api_resources(session: Session) -> int:
    rows = [["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]]
    wide = session.flag("output") == "wide"
    if wide:
        rows[0] += ["VERBS", "CATEGORIES"]
    order = session.flag("sort-by", "")
    if order not in ("", "name", "kind"):
        raise Failure("error: --sort-by accepts only name or kind")
    for found in sorted(session.discovery.preferred(), key=lambda one: _place(one, order)):
        resource = found.resource
        if session.arguments.given("api-group") and resource.group != session.flag("api-group"):
            continue
        if session.arguments.given("namespaced") and resource.namespaced != session.flag("namespaced"):
            continue
        if not set(session.flag("verbs", [])) <= set(found.verbs):
            continue
        row = [
            resource.plural,
            ",".join(found.short_names),
            resource.api_version,
            "true" if resource.namespaced else "false",
            resource.kind,
        ]
        rows.append(row + ([",".join(found.verbs), ",".join(found.categories)] if wide else []))
    if session.flag("output") == "name":
        for plural, _, api_version, *_ in rows[1:]:
            session.print(f"{plural}.{api_version.rpartition('/')[0]}".rstrip("."))
        return 0
    session.out.write(tabs.table(rows[1:] if session.flag("no-headers") else rows))
    return 0


def _place(found: Found, order: str) -> tuple[str, str]:
    resource = found.resource
    first = {"name": resource.plural, "kind": resource.kind}.get(order, resource.group)
    return first, resource.plural


def run_api_versions(session: Session) -> int:
    versions = {found.resource.api_version for found in session.discovery.all()}
    for version in sorted(versions):
        session.print(version)
    return 0
