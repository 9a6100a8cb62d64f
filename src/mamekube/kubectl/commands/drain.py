"""kubectl drain: a node without pods that may run elsewhere; they are asked to leave, as their budgets allow."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mamekube.kubectl.commands.cordon import cordon, nodes_of
from mamekube.kubectl.commands.writing import dry_run, dry_run_mark, report
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import Target
from mamekube.objects import durations, selectors
from mamekube.objects.meta import Object, annotations_of, metadata, name_of, namespace_of, uid_of
from mamekube.objects.owners import controller_of

FLAGS = (
    Flag("dry-run", bare="unchanged"),
    Flag("selector", short="l"),
    Flag("pod-selector"),
    Flag("force", "bool"),
    Flag("ignore-daemonsets", "bool"),
    Flag("delete-emptydir-data", "bool"),
    Flag("disable-eviction", "bool"),
    Flag("grace-period", "int"),
    Flag("timeout", "duration"),
    Flag("skip-wait-for-delete-timeout", "int"),
    Flag("chunk-size", "int"),
)
MIRROR = "kubernetes.io/config.mirror"
RETRY_S = 5
FINISHED = ("Succeeded", "Failed")


def run(session: Session) -> int:
    try:
        selectors.parse(session.flag("pod-selector", ""))
    except ValueError:
        raise Failure("error: --pod-selector=<pod_selector> must be a valid label selector") from None
    nodes = nodes_of(session, "drain")
    cordon(session, nodes, True)
    refused: list[tuple[Target, list[str]]] = []
    for target, node in nodes:
        problems = _drain(session, target.name)
        if problems:
            refused.append((target, problems))
            shown = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
            session.warn(
                f'error: unable to drain node "{target.name}" due to error: {shown}, continuing command...'
            )
        else:
            report(session, target, node, "drained")
    if not refused:
        return 0
    session.warn("There are pending nodes to be drained:")
    for target, _ in refused:
        session.warn(f" {target.name}")
    problems = [problem for _, some in refused for problem in some]
    raise Failure("\n".join(problems))


# Which pods -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Verdict:
    """What is to be done with a pod: whether it leaves, and what there is to say about it."""

    leaves: bool = True
    warning: str = ""
    problem: str = ""


def verdict(session: Session, pod: Object, daemon_set_problem: str) -> Verdict:
    """What becomes of a pod; `daemon_set_problem` is why its DaemonSet could not be read, if it has one.

    Of several things to say upstream says the last, so that a pod with a controller leaves without a word.
    """
    if _is_stuck(session, pod):
        return Verdict(leaves=False)
    finished = (pod.get("status") or {}).get("phase") in FINISHED
    owner = controller_of(pod)
    if owner is not None and owner["kind"] == "DaemonSet" and not finished:
        orphaned = session.flag("force") and "not found" in daemon_set_problem
        if daemon_set_problem and not orphaned:
            return Verdict(False, problem=daemon_set_problem)
        if not daemon_set_problem and session.flag("ignore-daemonsets"):
            return Verdict(False, warning="ignoring DaemonSet-managed Pods")
        if not daemon_set_problem:
            return Verdict(False, problem="DaemonSet-managed Pods (use --ignore-daemonsets to ignore)")
    if MIRROR in annotations_of(pod):
        return Verdict(leaves=False)
    local = any("emptyDir" in volume for volume in (pod.get("spec") or {}).get("volumes") or ())
    if local and not finished and not session.flag("delete-emptydir-data"):
        return Verdict(False, problem="Pods with local storage (use --delete-emptydir-data to override)")
    if finished or owner is not None:
        return Verdict()
    if session.flag("force"):
        return Verdict(warning="deleting Pods that declare no controller")
    return Verdict(False, problem="cannot delete Pods that declare no controller (use --force to override)")


def _is_stuck(session: Session, pod: Object) -> bool:
    """Whether the pod has been on its way out for longer than is waited for."""
    limit_s, since = session.flag("skip-wait-for-delete-timeout", 0), metadata(pod).get("deletionTimestamp")
    return bool(limit_s > 0 and since and time.time() - datetime.fromisoformat(since).timestamp() > limit_s)


def _pods_on(session: Session, node: str) -> tuple[list[Object], str]:
    """The pods of a node, and the version of the list."""
    query = _pod_query(session, node)
    listed: Any = session.api.get("/api/v1/pods", query=query)
    return listed["items"], metadata(listed)["resourceVersion"]


def _pod_query(session: Session, node: str) -> dict[str, Any]:
    return {"fieldSelector": f"spec.nodeName={node}", "labelSelector": session.flag("pod-selector", "")}


def _chosen(session: Session, node: str) -> tuple[list[Object], list[str], list[str]]:
    """The pods that leave, the warnings about others, and the problems."""
    leaving: list[Object] = []
    warnings: dict[str, list[str]] = {}
    problems: dict[str, list[str]] = {}
    for pod in _pods_on(session, node)[0]:
        found = verdict(session, pod, _daemon_set_problem(session, pod))
        name = f"{namespace_of(pod)}/{name_of(pod)}"
        if found.leaves:
            leaving.append(pod)
        if found.warning:
            warnings.setdefault(found.warning, []).append(name)
        if found.problem:
            problems.setdefault(found.problem, []).append(name)
    return (
        leaving,
        [f"{text}: {', '.join(names)}" for text, names in warnings.items()],
        [f"cannot delete {text}: {', '.join(names)}" for text, names in problems.items()],
    )


def _daemon_set_problem(session: Session, pod: Object) -> str:
    owner = controller_of(pod)
    if owner is None or owner["kind"] != "DaemonSet":
        return ""
    path = f"/apis/apps/v1/namespaces/{namespace_of(pod)}/daemonsets/{owner['name']}"
    answer = session.api.request("GET", path)
    return "" if answer.code < 400 else str(answer.json().get("message", ""))


# Leaving ----------------------------------------------------------------------------------------------


def _drain(session: Session, node: str) -> list[str]:
    """Have the node's pods leave; what kept them from it."""
    leaving, warnings, problems = _chosen(session, node)
    if problems:
        return problems
    if warnings:
        session.warn(f"Warning: {'; '.join(warnings)}")
    mark = dry_run_mark(session)
    if mark:
        for pod in leaving:
            session.print(f"evicting pod {namespace_of(pod)}/{name_of(pod)}{mark}")
            if dry_run(session) == "server":
                _send_away(session, pod)
        return []
    problem = _Leaving(session, node, leaving).run() if leaving else ""
    if not problem:
        return []
    pending, _, problems = _chosen(session, node)
    if pending:
        session.warn(f'There are pending pods in node "{node}" when an error occurred: {problem}')
        for pod in pending:
            session.warn(f"pod/{name_of(pod)}")
    return [problem]


def _send_away(session: Session, pod: Object) -> Failure | None:
    """Evict or delete a pod; why it stays, if it does."""
    path = f"/api/v1/namespaces/{namespace_of(pod)}/pods/{name_of(pod)}"
    options: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1"}
    if session.flag("grace-period", -1) >= 0:
        options["gracePeriodSeconds"] = session.flag("grace-period")
    if dry_run(session) == "server":
        options["dryRun"] = ["All"]
    try:
        if session.flag("disable-eviction"):
            session.api.call("DELETE", path, body=options)
        else:
            eviction = {
                "apiVersion": "policy/v1",
                "kind": "Eviction",
                "metadata": {"name": name_of(pod), "namespace": namespace_of(pod)},
                "deleteOptions": options,
            }
            session.api.call("POST", f"{path}/eviction", body=eviction)
    except Failure as failure:
        return None if failure.reason == "NotFound" else failure
    return None


class _Leaving:
    """The pods of one node on their way: those still to be asked, and those that were."""

    def __init__(self, session: Session, node: str, pods: Sequence[Object]) -> None:
        self._session = session
        self._node = node
        self._staying = list(pods)
        self._going: dict[str, Object] = {}
        self._timeout_s = session.flag("timeout", 0.0)
        self._deadline = time.monotonic() + self._timeout_s if self._timeout_s > 0 else float("inf")

    def run(self) -> str:
        """Wait until all are gone; why they are not, if so."""
        while (left_s := self._deadline - time.monotonic()) > 0:
            if problem := self._ask():
                return problem
            version = self._look()
            if not self._staying and not self._going:
                return ""
            self._watch(version, min(left_s, RETRY_S))
        return self._timed_out()

    def _ask(self) -> str:
        """Ask every pod that stays; answers what makes further asking useless."""
        still = []
        for pod in self._staying:
            quoted = f'pods/"{name_of(pod)}" -n "{namespace_of(pod)}"'
            if not self._session.flag("disable-eviction"):
                self._session.print(f"evicting pod {namespace_of(pod)}/{name_of(pod)}")
                self._session.out.flush()
            failure = _send_away(self._session, pod)
            if failure is None:
                self._going[uid_of(pod)] = pod
            elif failure.reason == "TooManyRequests":
                still.append(pod)
                self._session.warn(
                    f"error when evicting {quoted} (will retry after {RETRY_S}s): {failure.message}"
                )
            else:
                return f"error when evicting {quoted}: {failure.message}"
        self._staying = still
        return ""

    def _look(self) -> str:
        """Tell of those that are gone; the version of what there is."""
        there, version = _pods_on(self._session, self._node)
        known = {uid_of(pod): pod for pod in there}
        for uid, pod in list(self._going.items()):
            limit_s = self._session.flag("skip-wait-for-delete-timeout", 0)
            if uid not in known:
                self._gone(uid)
            elif _is_stuck(self._session, known[uid]):
                self._going.pop(uid)
                self._session.print(
                    f'pod "{name_of(pod)}" has DeletionTimestamp older than {limit_s} seconds, skipping'
                )
        return version

    def _watch(self, version: str, wait_s: float) -> None:
        """Tell of those that go, until the time is over or nobody is left to wait for."""
        query = _pod_query(self._session, self._node) | {
            "watch": "true",
            "resourceVersion": version,
            "timeoutSeconds": max(1, int(wait_s + 0.999)),
        }
        for event in self._session.api.lines("/api/v1/pods", query=query):
            if event["type"] == "DELETED" and uid_of(event["object"]) in self._going:
                self._gone(uid_of(event["object"]))
            if not self._going and not self._staying:
                break
        self._session.api.close()

    def _gone(self, uid: str) -> None:
        pod = self._going.pop(uid)
        verb = "deleted" if self._session.flag("disable-eviction") else "evicted"
        self._session.print(f"pod/{name_of(pod)} {verb}")
        self._session.out.flush()

    def _timed_out(self) -> str:
        reached = f"global timeout reached: {durations.text_of(self._timeout_s)}"
        if self._staying:
            pod = self._staying[0]
            self._session.print(f"evicting pod {namespace_of(pod)}/{name_of(pod)}")
            return f'error when evicting pods/"{name_of(pod)}" -n "{namespace_of(pod)}": {reached}'
        pod = next(iter(self._going.values()))
        if self._session.flag("disable-eviction"):
            return reached
        return f'error when waiting for pod "{name_of(pod)}" in namespace "{namespace_of(pod)}" to terminate: {reached}'
