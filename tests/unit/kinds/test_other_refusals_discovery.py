"""What slices of endpoints are refused for, what they are warned of, and what is dropped of them."""

import copy
from typing import Any

import pytest

from mamekube.kinds.discovery.endpointslices import KIND

NO_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
QUALIFIED = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


def slice_of(
    *endpoints: dict[str, Any], kind: str = "IPv4", ports: Any = (), **metadata: Any
) -> dict[str, Any]:
    made = {
        "metadata": {"name": "s", "generation": 1, **metadata},
        "addressType": kind,
        "endpoints": copy.deepcopy([*endpoints]),
        "ports": copy.deepcopy([*ports]),
    }
    KIND.default(made)
    return made


def at(*addresses: str, kind: str = "IPv4", **endpoint: Any) -> dict[str, Any]:
    return slice_of({"addresses": [*addresses], **endpoint}, kind=kind)


def one(**endpoint: Any) -> dict[str, Any]:
    return at("10.0.0.1", **endpoint)


def on(*ports: dict[str, Any]) -> dict[str, Any]:
    return slice_of(ports=ports)


def hinted(**hints: list[str]) -> dict[str, Any]:
    return one(hints={field: [{"name": name} for name in names] for field, names in hints.items()})


E, A = "endpoints[0]", "endpoints[0].addresses"
SLICES = [
    (at("10.0.0.1", "192.168.0.1"),),
    (at("2001:DB8::1", kind="IPv6"),),
    (at("example.com", "example.com.", kind="FQDN"),),
    (hinted(forZones=["a", "b"], forNodes=["n", "m"]),),
    (on({"name": ""}, {"name": "http", "port": 80, "appProtocol": "example.com/custom"}),),
    (slice_of(kind=""), "addressType: Required value"),
    (at("nonsense", kind="IP"),
     'addressType: Unsupported value: "IP": supported values: "FQDN", "IPv4", "IPv6"'),
    (slice_of(*[{"addresses": ["10.0.0.1"]}] * 1001, ports=[{"protocol": "ICMP"}]),
     "endpoints: Too many: 1001: must have at most 1000 items",
     'ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"'),
    (at(), f"{A}: Required value: must contain at least 1 address"),
    (at(*["10.0.0.1"] * 101), f"{A}: Too many: 101: must have at most 100 items"),
    (at("a", "010.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "127.0.0.1", "169.254.0.1", "224.0.0.1", "0.0.0.0"),
     f'{A}[0]: Invalid value: "a": {NO_IP}',
     f'{A}[1]: Invalid value: "010.0.0.1": must not have leading 0s',
     f'{A}[2]: Invalid value: "::ffff:10.0.0.1": must not be an IPv4-mapped IPv6 address',
     f'{A}[3]: Invalid value: "2001:db8::1": must be an IPv4 address',
     f'{A}[4]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
     f'{A}[5]: Invalid value: "169.254.0.1": may not be in the link-local range (169.254.0.0/16, fe80::/10)',
     f'{A}[6]: Invalid value: "224.0.0.1": may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)',
     f'{A}[7]: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)'),
    (at("10.0.0.1", "fe80::1", kind="IPv6"),
     f'{A}[0]: Invalid value: "10.0.0.1": must be an IPv6 address',
     f'{A}[1]: Invalid value: "fe80::1": may not be in the link-local range (169.254.0.0/16, fe80::/10)'),
    (at("", "com", "*.example.com", f"{'x' * 64}.com.", kind="FQDN"),
     f"{A}[0]: Required value",
     f'{A}[1]: Invalid value: "com": should be a domain with at least two segments separated by dots',
     f'{A}[2]: Invalid value: "*.example.com": {SUBDOMAIN}',
     f'{A}[3]: Invalid value: "{"x" * 64}": must be no more than 63 bytes'),
    (one(hostname="", nodeName="A"),
     f'{E}.nodeName: Invalid value: "A": {SUBDOMAIN}',
     f'{E}.hostname: Invalid value: "": {LABEL}'),
    (hinted(forZones=["a", "a"], forNodes=["n", "N", "n"]),
     f'{E}.hints.forZones[1].name: Duplicate value: "a"',
     f'{E}.hints.forNodes[1].name: Invalid value: "N": {SUBDOMAIN}',
     f'{E}.hints.forNodes[2].name: Duplicate value: "n"'),
    (hinted(forZones=[f"z{number}" for number in range(9)]),
     f"{E}.hints.forZones: Too many: 9: must have at most 8 items"),
    (on({"name": "A"}, {}, {"name": "", "appProtocol": "--", "protocol": ""}),
     f'ports[0].name: Invalid value: "A": {LABEL}',
     'ports[2].name: Duplicate value: ""',
     'ports[2].protocol: Unsupported value: "": supported values: "SCTP", "TCP", "UDP"',
     f'ports[2].appProtocol: Invalid value: "--": {QUALIFIED}'),
    (on(*({"name": f"p{number}"} for number in range(20001))),
     "ports: Too many: 20001: must have at most 20000 items"),
]  # fmt: skip


@pytest.mark.parametrize("case", SLICES, ids=lambda case: case[-1][:70] if case[1:] else "fine")
def test_a_slice_is_refused_for(case: tuple[Any, ...]) -> None:
    obj, *expected = case
    assert [str(error) for error in KIND.validate(obj) + KIND.validate_create(obj)] == expected


def updated(new: dict[str, Any], old: dict[str, Any]) -> list[str]:
    return [str(error) for error in KIND.validate(new) + KIND.validate_update(new, old)]


def test_addresses_that_a_slice_had_may_stay() -> None:
    old = at("010.0.0.1")
    assert updated(at("10.0.0.2", "010.0.0.1"), old) == []
    assert updated(at("010.0.0.2"), old) == [f'{A}[0]: Invalid value: "010.0.0.2": must not have leading 0s']


def test_a_slice_keeps_its_type_of_addresses() -> None:
    assert updated(one(), at("10.0.0.1", kind="IPv6")) == [
        'addressType: Invalid value: "IPv4": field is immutable'
    ]
    assert updated(at("a.b", kind="FQDN"), at("a.b")) == [
        'addressType: Invalid value: "FQDN": field is immutable'
    ]


def test_a_slice_is_warned_of_names_and_of_spellings() -> None:
    name, spelling = at("a.b", kind="FQDN"), at("2001:DB8::1", kind="IPv6")
    assert KIND.warnings(name, None) == ["spec.addressType: FQDN endpoints are deprecated"]
    assert KIND.warnings(name, name) == []
    expected = [f'{A}[0]: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")']
    assert KIND.warnings(spelling, None) == KIND.warnings(spelling, spelling) == expected
    for manager in ("endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io"):
        spelling["metadata"]["labels"] = {"endpointslice.kubernetes.io/managed-by": manager}
        assert KIND.warnings(spelling, None) == []


def test_what_was_said_of_places_before_there_were_fields_for_it_is_dropped() -> None:
    topology = {"deprecatedTopology": {"kubernetes.io/hostname": "n"}}
    new = one(**topology)
    KIND.prepare_create(new)
    assert new["endpoints"] == one()["endpoints"]

    old = one(**topology)
    same, changed, foreign = one(**topology), one(**topology, zone="z"), one(zone="z")
    foreign["endpoints"][0]["deprecatedTopology"] = {"kubernetes.io/hostname": "m"}
    for obj in (same, changed, foreign):
        KIND.prepare_update(obj, old)
    assert same["endpoints"] == old["endpoints"] == one(**topology)["endpoints"]
    assert changed["endpoints"] == one(zone="z", nodeName="n")["endpoints"]
    assert foreign["endpoints"] == one(zone="z")["endpoints"]


def test_a_change_of_labels_counts_as_one_of_the_slice() -> None:
    old, labelled, annotated = one(), one(), one()
    labelled["metadata"]["labels"] = {"kubernetes.io/service-name": "s"}
    annotated["metadata"]["annotations"] = {"a": "b"}
    for new in (labelled, annotated):
        KIND.prepare_update(new, old)
    assert (labelled["metadata"]["generation"], annotated["metadata"]["generation"]) == (2, 1)
