"""kubectl describe: everything about an object in words, with its events."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from mamekube.kubectl.describe import generic, nodes, pods, services, workloads
from mamekube.kubectl.describe.events import describe_events
from mamekube.kubectl.describe.writer import Writer
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import SELECTION_FLAGS, Target, resolve, selection_query
from mamekube.objects.meta import Object, name_of, namespace_of, uid_of
from mamekube.objects.owners import is_controlled_by
from mamekube.objects.selectors import from_label_selector, from_labels

FLAGS = (*SELECTION_FLAGS, Flag("show-events", "bool"), Flag("chunk-size", "int"))
USAGE = (
    'error: You must specify the type of resource to describe. Use "kubectl api-resources" for a complete list of '
    "supported resources."
)


def run(session: Session) -> int:
    found: list[tuple[Target, Object]] = []
    failed = False
    for target in resolve(session, session.words, usage=USAGE):
        try:
            found += _matching(session, target)
        except Failure as failure:
            session.warn(failure.text)
            failed = True
    for number, (target, obj) in enumerate(found):
        if number:
            session.out.write("\n\n")
        session.out.write(describe(session, target, obj))
    if not found and not failed:
        session.warn(f"No resources found in {session.namespace} namespace.")
    return 1 if failed else 0


def _matching(session: Session, target: Target) -> list[tuple[Target, Object]]:
    """The named object, or those whose names begin so, or all."""
    resource = target.found.resource
    kind = {"apiVersion": resource.api_version, "kind": resource.kind}
    if target.name:
        try:
            return [(target, session.api.get(target.path))]
        except Failure as failure:
            if "(NotFound)" not in failure.text:
                raise
            collection = resource.path(namespace=target.namespace)
            items = session.api.get(collection)["items"]
            matching = [(target, {**kind, **item}) for item in items if name_of(item).startswith(target.name)]
            if not matching:
                raise
            return matching
    return [
        (target, {**kind, **item})
        for item in session.api.get(target.path, query=selection_query(session))["items"]
    ]


def describe(session: Session, target: Target, obj: Object) -> str:
    """The whole description of one object."""
    writer = Writer()
    describer = DESCRIBERS.get(target.found.resource.kind)
    if describer is None:
        generic.describe_any(writer, obj)
    else:
        describer(session, writer, obj)
    if session.flag("show-events", True) and target.found.resource.kind not in WITHOUT_EVENTS:
        describe_events(writer, _events(session, obj), time.time())
    return writer.text()


def _events(session: Session, obj: Object) -> Sequence[Object]:
    kind, name = obj.get("kind", ""), name_of(obj)
    # Events about objects without a namespace are written into the default one.
    namespace = namespace_of(obj) or "default"
    terms = [f"involvedObject.kind={kind}", f"involvedObject.name={name}"]
    if kind != "Node" and uid_of(obj):
        terms.append(f"involvedObject.uid={uid_of(obj)}")
    query = {"fieldSelector": ",".join(terms)}
    events: list[Object] = session.api.get(f"/api/v1/namespaces/{namespace}/events", query=query)["items"]
    return events


def _pods_of(session: Session, owner: Object) -> list[Object]:
    selector = owner["spec"].get("selector") or {}
    plain = owner["kind"] == "ReplicationController"
    text = from_labels(selector) if plain else from_label_selector(selector)
    path = f"/api/v1/namespaces/{namespace_of(owner)}/pods"
    items = session.api.get(path, query={"labelSelector": str(text)})["items"]
    return [pod for pod in items if is_controlled_by(pod, owner)]


def _deployment(session: Session, writer: Writer, obj: Object) -> None:
    selector = str(from_label_selector(obj["spec"]["selector"]))
    path = f"/apis/apps/v1/namespaces/{namespace_of(obj)}/replicasets"
    workloads.describe_deployment(
        writer, obj, session.api.get(path, query={"labelSelector": selector})["items"]
    )


def _replica_set(session: Session, writer: Writer, obj: Object) -> None:
    workloads.describe_replica_set(writer, obj, _pods_of(session, obj))


def _service(session: Session, writer: Writer, obj: Object) -> None:
    path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace_of(obj)}/endpointslices"
    query = {"labelSelector": f"kubernetes.io/service-name={name_of(obj)}"}
    services.describe_service(writer, obj, session.api.get(path, query=query)["items"])


def _node(session: Session, writer: Writer, obj: Object) -> None:
    query = {"fieldSelector": f"spec.nodeName={name_of(obj)}"}
    found = session.api.get("/api/v1/pods", query=query)["items"]
    lease = session.api.request(
        "GET", f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name_of(obj)}"
    )
    nodes.describe_node(writer, obj, found, lease.json() if lease.code == 200 else None, now_s=time.time())


DESCRIBERS: dict[str, Callable[[Session, Writer, Object], None]] = {
    "Pod": lambda session, writer, obj: pods.describe_pod(writer, obj),
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "ReplicationController": _replica_set,
    "DaemonSet": lambda session, writer, obj: workloads.describe_set(writer, obj, _pods_of(session, obj)),
    "StatefulSet": lambda session, writer, obj: workloads.describe_set(writer, obj, _pods_of(session, obj)),
    "Job": lambda session, writer, obj: workloads.describe_set(writer, obj, _pods_of(session, obj)),
    "Service": _service,
    "Node": _node,
    "Namespace": lambda session, writer, obj: generic.describe_namespace(writer, obj),
    "ConfigMap": lambda session, writer, obj: generic.describe_config_map(writer, obj),
    "Secret": lambda session, writer, obj: generic.describe_secret(writer, obj),
}
WITHOUT_EVENTS = {"Secret", "Namespace"}
