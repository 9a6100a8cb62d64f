"""The metrics that upstream promises (v1.36), and what differs from them on a page of ours."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

PROMISED: dict[str, dict[str, dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "data" / "stable-metrics-v1.36.json").read_text()
)
"""Part of the cluster -> name -> type, level of stability, labels, and the buckets of a histogram."""

OWN_PAGE = "upstream's scheduler has them on a page of its own, of all pods in all their states"
NO_REGISTER = "families are made when somebody asks for them: there is no register of them"
ABSENT = {
    "kubernetes_feature_enabled": "there are no feature gates",
    "disabled_metrics_total": NO_REGISTER,
    "hidden_metrics_total": NO_REGISTER,
    "registered_metrics_total": NO_REGISTER,
    "kube_pod_resource_limit": OWN_PAGE,
    "kube_pod_resource_request": OWN_PAGE,
    "scheduler_pod_scheduling_duration_seconds": "deprecated since v1.29, upstream hides it unless it is asked for",
}
"""What we do not show, and why."""

SAMPLE = re.compile(r"([a-zA-Z_:]+)(?:\{(.*)\})? \S+")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def differences(text: str, part: str) -> list[str]:
    """What a page in Prometheus' text format lacks or has otherwise; a sentence for each."""
    found = []
    for name, promised in PROMISED[part].items():
        shown = _shown(text, name)
        if name in ABSENT:
            found += [f"{name}: is shown after all"] if shown else []
        elif not shown:
            found.append(f"{name}: is not shown")
        else:
            found += [
                f"{name}: {key} {shown.get(key)} instead of {value}"
                for key, value in promised.items()
                if shown.get(key) != value
            ]
    return found


def _shown(text: str, name: str) -> dict[str, Any]:
    """What the page says of a metric, as it is written down in `PROMISED`."""
    head = re.search(
        rf"^# HELP {name} \[(\w+)\] .*\n# TYPE {name} (\w+)\n((?:[^#].*\n)*)", text, re.MULTILINE
    )
    if head is None:
        return {}
    labels: set[str] = set()
    bounds: dict[str, None] = {}
    for line in head[3].splitlines():
        sample = SAMPLE.fullmatch(line)
        assert sample is not None, line
        pairs = dict(LABEL.findall(sample[2] or ""))
        bounds |= dict.fromkeys(value for key, value in pairs.items() if key == "le" and value != "+Inf")
        labels |= pairs.keys() - {"le"}
    shown: dict[str, Any] = {"type": head[2], "level": head[1], "labels": sorted(labels)}
    if bounds:
        shown["buckets"] = [float(bound) for bound in bounds]
    return shown
