"""kubectl logs: what a container printed, of one pod or of the pods behind a deployment or selector."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Any

from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import Target, resolve
from mamekube.objects.meta import Object, annotations_of, metadata, name_of, namespace_of
from mamekube.objects.selectors import from_label_selector, from_labels

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
FLAGS = (
    Flag("container", short="c"),
    Flag("follow", "bool", short="f"),
    Flag("previous", "bool", short="p"),
    Flag("tail", "int"),
    Flag("since", "duration"),
    Flag("since-time"),
    Flag("timestamps", "bool"),
    Flag("limit-bytes", "int"),
    Flag("all-containers", "bool"),
    Flag("prefix", "bool"),
    Flag("selector", short="l"),
    Flag("ignore-errors", "bool"),
    Flag("max-log-requests", "int"),
)
SELECTED_TAIL_DEFAULT = 10


def run(session: Session) -> int:
    words, container = list(session.words), session.flag("container", "")
    if len(words) == 2 and "/" not in words[1] and not container:
        container = words.pop()
    if not words and not session.flag("selector"):
        raise Failure(
            "error: expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\n"
            "POD or TYPE/NAME is a required argument for the logs command\nSee 'kubectl logs -h' for help and examples"
        )
    pods = _selected(session) if not words else [_pod(session, words[0])]
    for pod in pods:
        for name in _containers(session, pod, container):
            _copy(session, pod, name, several=len(pods) > 1)
    return 0


def _pod(session: Session, word: str) -> Object:
    try:
        return pod_of(session, word)
    except Failure as failure:
        if "(NotFound)" not in failure.text:
            raise
        text = failure.text.removeprefix("E")
        raise Failure(f'error: e{text} in namespace "{session.namespace}"') from None


def pod_of(session: Session, word: str) -> Object:
    """The pod that `POD`, `TYPE/NAME` names; of several behind a controller the oldest ready one."""
    words = [word] if "/" in word else ["pods", word]
    target = resolve(session, words, usage="")[0]
    live: Object = session.api.get(target.path)
    if target.found.resource.kind == "Pod":
        return live
    pods = pods_behind(session, target, live)
    if not pods:
        raise Failure(f"error: no pods found for {target.display()}")
    if len(pods) > 1:
        session.warn(f"Found {len(pods)} pods, using pod/{name_of(pods[0])}")
    return pods[0]


def pods_behind(session: Session, target: Target, live: Object) -> list[Object]:
    """The pods that an object selects, running ones first, then older ones."""
    selector = (live.get("spec") or {}).get("selector")
    if not selector:
        raise Failure(f"error: cannot get the logs from {target.found.resource.group_kind}: no selector")
    kind = target.found.resource.kind
    text = str(
        from_labels(selector)
        if kind in ("Service", "ReplicationController")
        else from_label_selector(selector)
    )
    path = f"/api/v1/namespaces/{namespace_of(live)}/pods"
    pods: list[Object] = session.api.get(path, query={"labelSelector": text})["items"]
    return sorted(
        pods,
        key=lambda pod: (
            (pod.get("status") or {}).get("phase") != "Running",
            metadata(pod).get("creationTimestamp", ""),
        ),
    )


def _selected(session: Session) -> list[Object]:
    path = f"/api/v1/namespaces/{session.namespace}/pods"
    pods: list[Object] = session.api.get(path, query={"labelSelector": session.flag("selector")})["items"]
    if not pods:
        session.warn(f"No resources found in {session.namespace} namespace.")
    return pods


def _containers(session: Session, pod: Object, asked: str) -> Sequence[str]:
    spec = pod["spec"]
    everything = [
        container["name"]
        for field in ("initContainers", "containers", "ephemeralContainers")
        for container in spec.get(field) or ()
    ]
    if session.flag("all-containers"):
        return everything
    if asked:
        if asked not in everything:
            raise Failure(f"error: container {asked} is not valid for pod {name_of(pod)}")
        return [asked]
    return [default_container(session, pod)]


def default_container(session: Session, pod: Object) -> str:
    """The container that a command without -c means; with several, kubectl says which."""
    names = [container["name"] for container in pod["spec"]["containers"]]
    annotated = annotations_of(pod).get(DEFAULT_CONTAINER)
    if annotated in names:
        return str(annotated)
    if len(names) > 1:
        session.warn(f'Defaulted container "{names[0]}" out of: {", ".join(names)}')
    return str(names[0])


def _copy(session: Session, pod: Object, container: str, *, several: bool) -> None:
    query: dict[str, Any] = {"container": container}
    for flag, name in (("follow", "follow"), ("previous", "previous"), ("timestamps", "timestamps")):
        if session.flag(flag):
            query[name] = "true"
    tail = session.flag("tail", SELECTED_TAIL_DEFAULT if session.flag("selector") else -1)
    if tail >= 0:
        query["tailLines"] = tail
    if session.flag("since"):
        query["sinceSeconds"] = int(session.flag("since"))
    query["sinceTime"] = session.flag("since-time")
    query["limitBytes"] = session.flag("limit-bytes")
    path = f"/api/v1/namespaces/{namespace_of(pod)}/pods/{name_of(pod)}/log"
    prefix = f"[pod/{name_of(pod)}/{container}] " if session.flag("prefix") else ""
    rest = ""
    # A chunk may end in the middle of a character.
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    for chunk in session.api.stream(path, query=query):
        text = decoder.decode(chunk)
        if prefix:
            *lines, rest = (rest + text).split("\n")
            text = "".join(f"{prefix}{line}\n" for line in lines)
        session.out.write(text)
        session.out.flush()
    if rest:
        session.out.write(f"{prefix}{rest}")
