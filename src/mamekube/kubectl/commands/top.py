"""kubectl top: what nodes and pods use, where a metrics server says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mamekube.kubectl import tabs
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.objects import quantity
from mamekube.objects.meta import Object, name_of, namespace_of

ROOT = "/apis/metrics.k8s.io/v1beta1"
SHARED_FLAGS = (
    Flag("selector", short="l"),
    Flag("sort-by"),
    Flag("no-headers", "bool"),
    Flag("use-protocol-buffers", "bool"),
)
NODE_FLAGS = (*SHARED_FLAGS, Flag("show-capacity", "bool"))
POD_FLAGS = (
    *SHARED_FLAGS,
    Flag("all-namespaces", "bool", short="A"),
    Flag("containers", "bool"),
    Flag("field-selector"),
    Flag("sum", "bool"),
)
RESOURCES = ("cpu", "memory")
MEBI = 1024 * 1024
"""Usage is in thousandths of a core and in mebibytes."""
Usage = tuple[int, int]


def run_nodes(session: Session) -> int:
    _check(session, "node")
    metrics = _metrics(session, f"{ROOT}/nodes")
    nodes = {name_of(node): node for node in session.api.get("/api/v1/nodes")["items"]}
    field = "capacity" if session.flag("show-capacity") else "allocatable"
    rows = [["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]]
    for metric in _in_order(session, [(one, _usage(one.get("usage") or {})) for one in metrics]):
        usage = _usage(metric.get("usage") or {})
        there = _usage((nodes.get(name_of(metric), {}).get("status") or {}).get(field) or {})
        shares = [
            f"{int(used * 100 / whole)}%" if whole else "<unknown>"
            for used, whole in zip(usage, there, strict=True)
        ]
        rows.append([name_of(metric), f"{usage[0]}m", shares[0], f"{usage[1]}Mi", shares[1]])
    _print(session, rows)
    return 0


def run_pods(session: Session) -> int:
    _check(session, "pod")
    within = "" if session.flag("all-namespaces") else f"/namespaces/{session.namespace}"
    metrics = _metrics(session, f"{ROOT}{within}/pods")
    if not metrics:
        place = "" if session.flag("all-namespaces") else f" in {session.namespace} namespace"
        session.warn(f"No resources found{place}.")
        return 0
    across, apart = session.flag("all-namespaces"), session.flag("containers")
    rows = [
        [
            *(["NAMESPACE"] if across else []),
            *(["POD"] if apart else []),
            "NAME",
            "CPU(cores)",
            "MEMORY(bytes)",
        ]
    ]
    whole = [0, 0]
    for metric in _in_order(session, [(one, _pod_usage(one)) for one in metrics]):
        usage = _pod_usage(metric)
        whole = [before + used for before, used in zip(whole, usage, strict=True)]
        front = [namespace_of(metric)] if across else []
        if not apart:
            rows.append([*front, name_of(metric), *_cells(usage)])
            continue
        for container in metric.get("containers") or ():
            cells = _cells(_usage(container.get("usage") or {}))
            rows.append([*front, name_of(metric), container["name"], *cells])
    if session.flag("sum"):
        blank = [""] * (len(rows[0]) - 3)
        rows += [[*blank, "", "________", "________"], [*blank, "", *_cells((whole[0], whole[1]))]]
    _print(session, rows)
    return 0


def _check(session: Session, kind: str) -> None:
    order = session.flag("sort-by", "")
    if order and order not in RESOURCES:
        raise Failure("error: --sort-by accepts only cpu or memory")
    if len(session.words) > 1:
        raise Failure(f"error: {kind} [NAME | -l label]\nSee 'kubectl top {kind} -h' for help and examples")
    if session.words and session.flag("selector"):
        raise Failure("error: only one of NAME or selector can be provided")
    groups = session.api.get("/apis").get("groups") or ()
    if not any(group["name"] == "metrics.k8s.io" for group in groups):
        raise Failure("error: Metrics API not available")


def _metrics(session: Session, path: str) -> list[Object]:
    if session.words:
        return [session.api.get(f"{path}/{session.words[0]}")]
    query = {"labelSelector": session.flag("selector"), "fieldSelector": session.flag("field-selector")}
    items: list[Object] = session.api.get(path, query=query)["items"]
    return items


def _usage(quantities: Mapping[str, Any]) -> Usage:
    cpu, memory = (quantities.get(name, "0") for name in RESOURCES)
    return quantity.milli_value(cpu), quantity.value(memory) // MEBI


def _pod_usage(metric: Object) -> Usage:
    parts = [_usage(container.get("usage") or {}) for container in metric.get("containers") or ()]
    return sum(part[0] for part in parts), sum(part[1] for part in parts)


def _in_order(session: Session, metrics: Sequence[tuple[Object, Usage]]) -> list[Object]:
    """By name, or the largest first."""
    order = session.flag("sort-by")
    if order:
        index = RESOURCES.index(order)
        return [metric for metric, _ in sorted(metrics, key=lambda item: -item[1][index])]
    return [
        metric for metric, _ in sorted(metrics, key=lambda item: (namespace_of(item[0]), name_of(item[0])))
    ]


def _cells(usage: Usage) -> list[str]:
    return [f"{usage[0]}m", f"{usage[1]}Mi"]


def _print(session: Session, rows: list[list[str]]) -> None:
    shown = rows[1:] if session.flag("no-headers") else rows
    # Upstream ends every cell with a tab, the last one too.
    session.out.write(tabs.table([[*row, ""] for row in shown]) if shown else "")
