"""`Ingress` of `networking.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.meta import Object

SHOWN_MAX = 3

COLUMNS = (
    cells.NAME,
    Column(
        name="Class",
        description="The name of the IngressClass resource that should be used for additional configuration",
    ),
    Column(
        name="Hosts",
        description="Hosts that incoming requests are matched against before the ingress rule",
    ),
    Column(name="Address", description="Address is a list containing ingress points for the load-balancer"),
    Column(name="Ports", description="Ports of TLS configurations that open"),
    cells.AGE,
)


def prepare_create(ingress: Object) -> None:
    ingress["status"] = {"loadBalancer": {}}


def row(ingress: Object, now_s: float) -> list[Any]:
    spec = cells.spec_of(ingress)
    return [
        cells.name(ingress),
        spec.get("ingressClassName") or cells.NONE,
        _hosts_text(spec.get("rules") or []),
        cells.load_balancer_text(cells.status_of(ingress).get("loadBalancer")),
        "80, 443" if spec.get("tls") else "80",
        cells.age(ingress, now_s),
    ]


def _hosts_text(rules: list[dict[str, Any]]) -> str:
    shown: list[str] = []
    more = False
    for rule in rules:
        # Rules that come after the last host shown count as more, with or without a host of their own.
        more = more or len(shown) == SHOWN_MAX
        if not more and rule.get("host"):
            shown.append(rule["host"])
    if not shown:
        return "*"
    return f"{','.join(shown)} + {len(rules) - SHOWN_MAX} more..." if more else ",".join(shown)


KIND = Kind(
    group="networking.k8s.io",
    version="v1",
    plural="ingresses",
    singular="ingress",
    kind="Ingress",
    short_names=("ing",),
    schema="io.k8s.api.networking.v1.Ingress",
    has_status=True,
    counts_generation=True,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
)
