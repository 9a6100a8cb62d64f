"""The names of the Kubernetes DNS specification, answered from objects."""

import pytest

from mamekube.dns.zone import EMPTY, MISSING, Zone

CLUSTER_IP = {
    "metadata": {"namespace": "shop", "name": "web"},
    "spec": {
        "clusterIP": "10.96.0.7",
        "clusterIPs": ["10.96.0.7"],
        "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
    },
}
HEADLESS = {"metadata": {"namespace": "shop", "name": "db"}, "spec": {"clusterIP": "None"}}
EXTERNAL = {
    "metadata": {"namespace": "shop", "name": "far"},
    "spec": {"type": "ExternalName", "externalName": "example.org"},
}
SLICE = {
    "metadata": {"namespace": "shop", "name": "db-1", "labels": {"kubernetes.io/service-name": "db"}},
    "ports": [{"name": "sql", "port": 5432, "protocol": "TCP"}],
    "endpoints": [
        {"addresses": ["10.244.0.5"], "hostname": "db-0", "conditions": {"ready": True}},
        {"addresses": ["10.244.0.6"], "conditions": {"ready": True}},
        {"addresses": ["10.244.0.9"], "hostname": "db-2", "conditions": {"ready": False}},
    ],
}


class Objects:
    def service(self, key):
        return {"shop/web": CLUSTER_IP, "shop/db": HEADLESS, "shop/far": EXTERNAL}.get(key)

    def slices(self, key):
        return [SLICE] if key == "shop/db" else []

    def namespace_exists(self, namespace):
        return namespace == "shop"

    def services_at(self, address):
        return [CLUSTER_IP] if address == "10.96.0.7" else []

    def slices_at(self, address):
        return [SLICE] if address in ("10.244.0.5", "10.244.0.6") else []


ZONE = Zone(Objects(), domain="cluster.local")

CASES = [
    ("web.shop.svc", "A", [("A", "10.96.0.7")]),
    ("_http._tcp.web.shop.svc", "SRV", [("SRV", "0 100 80 web.shop.svc.cluster.local.")]),
    ("db.shop.svc", "A", [("A", "10.244.0.5"), ("A", "10.244.0.6")]),
    ("db-0.db.shop.svc", "A", [("A", "10.244.0.5")]),
    ("10-244-0-6.db.shop.svc", "A", [("A", "10.244.0.6")]),
    (
        "_sql._tcp.db.shop.svc",
        "SRV",
        [
            ("SRV", "0 50 5432 db-0.db.shop.svc.cluster.local."),
            ("SRV", "0 50 5432 10-244-0-6.db.shop.svc.cluster.local."),
        ],
    ),
    ("far.shop.svc", "A", [("CNAME", "example.org.")]),
    ("10-244-0-5.shop.pod", "A", [("A", "10.244.0.5")]),
    ("dns-version", "TXT", [("TXT", '"1.1.0"')]),
]


@pytest.mark.parametrize(("name", "record_type", "records"), CASES, ids=[case[0] for case in CASES])
def test_names_have_their_records(name, record_type, records):
    assert list(ZONE.answer(f"{name}.cluster.local", record_type).records) == records


@pytest.mark.parametrize("name", ["web.shop.svc", "shop.svc", "svc", "db-0.db.shop.svc", "shop.pod"])
def test_names_without_records_of_a_type_exist_all_the_same(name):
    assert ZONE.answer(f"{name}.cluster.local", "AAAA") == EMPTY


@pytest.mark.parametrize(
    "name",
    [
        "none.shop.svc",
        "web.none.svc",
        "none.svc",
        "db-2.db.shop.svc",
        "_https._tcp.web.shop.svc",
        "no-address.shop.pod",
        "10-244-0-5.none.pod",
        "a.b.c.d.web.shop.svc",
        "elsewhere",
    ],
)
def test_other_names_do_not_exist(name):
    assert ZONE.answer(f"{name}.cluster.local", "A") == MISSING


def test_addresses_have_names():
    assert ZONE.reverse("10.96.0.7") == ["web.shop.svc.cluster.local."]
    assert ZONE.reverse("10.244.0.5") == ["db-0.db.shop.svc.cluster.local."]
    assert ZONE.reverse("10.244.0.6") == ["10-244-0-6.db.shop.svc.cluster.local."]
    assert ZONE.reverse("192.0.2.1") == []
