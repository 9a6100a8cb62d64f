"""What ingresses, network policies, addresses and their ranges are refused for, and what they are warned of."""

import copy
from typing import Any

import pytest

from mamekube.kinds.core import services
from mamekube.kinds.kind import Kind
from mamekube.kinds.networking import ingressclasses, ingresses, ipaddresses, networkpolicies, servicecidrs
from mamekube.objects import names

NO_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
IMMUTABLE = "field is immutable"


def created(kind: Kind, obj: dict[str, Any]) -> list[str]:
    kind.default(obj)
    return [str(error) for error in (*kind.validate(obj), *kind.validate_create(obj))]


def updated(kind: Kind, new: dict[str, Any], old: dict[str, Any]) -> list[str]:
    for obj in (new, old):
        kind.default(obj)
    return [str(error) for error in (*kind.validate(new), *kind.validate_update(new, old))]


def made(spec: dict[str, Any], name: str = "x", **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **metadata}, "spec": copy.deepcopy(spec)}


def refusals(cases: list[tuple[Any, ...]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case[-1][:70] if case[1:] else "fine")


SERVICE = {"service": {"name": "s", "port": {"number": 80}}}


def ingress(**spec: Any) -> dict[str, Any]:
    return made({"defaultBackend": SERVICE, **spec})


def to(**service: Any) -> dict[str, Any]:
    return ingress(defaultBackend={"service": {"name": "s", "port": {"number": 80}, **service}})


def ruled(host: str = "", **path: Any) -> dict[str, Any]:
    one = {"path": "/", "pathType": "Prefix", "backend": SERVICE, **path}
    rule = {"http": {"paths": [one]}}
    return ingress(rules=[{"host": host, **rule} if host else rule])


def referring(**resource: Any) -> dict[str, Any]:
    return ingress(defaultBackend={"resource": resource})


D, P = "spec.defaultBackend", "spec.rules[0].http.paths[0]"
INGRESSES = [
    (ruled("*.example.com"),),
    (to(name="0-digits-first"),),
    (referring(apiGroup="example.com", kind="Bucket", name="b"),),
    (ruled(path="", pathType="ImplementationSpecific"),),
    (ruled(path="//", pathType="ImplementationSpecific"),),
    (made({}), "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"),
    (ingress(defaultBackend={}), f'{D}: Invalid value: "": resource or service backend is required'),
    (ingress(defaultBackend={**SERVICE, "resource": {}}),
     f'{D}: Invalid value: "": cannot set both resource and service backends'),
    (referring(apiGroup="A", kind="a/b"),
     f'{D}.resource.apiGroup: Invalid value: "A": {SUBDOMAIN}',
     f"{D}.resource.kind: Invalid value: \"a/b\": may not contain '/'",
     f"{D}.resource.name: Required value"),
    (to(name="", port={}),
     f"{D}.service.name: Required value",
     f"{D}: Required value: port name or number is required"),
    (to(port={"number": 80, "name": "http"}),
     f'{D}: Invalid value: "": cannot set both port name & port number'),
    (to(port={"number": 65536}),
     f"{D}.service.port.number: Invalid value: 65536: must be between 1 and 65535, inclusive"),
    (to(port={"name": "a--b"}),
     f'{D}.service.port.name: Invalid value: "a--b": must not contain consecutive hyphens'),
    (ingress(rules=[{"host": "10.0.0.1"}]),
     'spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address'),
    (ingress(rules=[{"host": "2001:db8::1"}]),
     'spec.rules[0].host: Invalid value: "2001:db8::1": must be a DNS name, not an IP address',
     f'spec.rules[0].host: Invalid value: "2001:db8::1": {SUBDOMAIN}'),
    (ingress(rules=[{"http": {}}]), "spec.rules[0].http.paths: Required value"),
    (ruled(pathType=None, backend={}), f"{P}.pathType: Required value: pathType must be specified"),
    (ruled(pathType="Regex"),
     f'{P}.pathType: Unsupported value: "Regex": supported values: "Exact", "ImplementationSpecific", "Prefix"'),
    (ruled(path="a//b/.."),
     f'{P}.path: Invalid value: "a//b/..": must be an absolute path',
     f"{P}.path: Invalid value: \"a//b/..\": must not contain '//'",
     f"{P}.path: Invalid value: \"a//b/..\": cannot end with '/..'"),
    (ruled(path="/./%2F/.", pathType="Exact"),
     f"{P}.path: Invalid value: \"/./%2F/.\": must not contain '/./'",
     f"{P}.path: Invalid value: \"/./%2F/.\": must not contain '%2F'",
     f"{P}.path: Invalid value: \"/./%2F/.\": cannot end with '/.'"),
    (ingress(tls=[{"hosts": ["A"], "secretName": "S"}], ingressClassName="C"),
     f'spec.tls[0].hosts[0]: Invalid value: "A": {SUBDOMAIN}',
     f'spec.tls[0].secretName: Invalid value: "S": {SUBDOMAIN}',
     f'spec.ingressClassName: Invalid value: "C": {SUBDOMAIN}'),
]  # fmt: skip


@refusals(INGRESSES)
def test_an_ingress_is_refused_for(case: tuple[Any, ...]) -> None:
    obj, *expected = case
    assert created(ingresses.KIND, obj) == expected


def test_a_new_ingress_names_its_class_once() -> None:
    obj = ingress(ingressClassName="a")
    obj["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "b"}
    assert created(ingresses.KIND, obj) == [
        'annotations.kubernetes.io/ingress.class: Invalid value: "b": must match `ingressClassName` when both are '
        "specified"
    ]
    assert updated(ingresses.KIND, obj, obj) == []


def test_what_was_wrong_of_an_ingress_before_may_stay() -> None:
    secret, rule = ingress(tls=[{"secretName": "S"}]), ruled("*.example.com", path="/..")
    for wrong in (secret, rule):
        assert len(created(ingresses.KIND, wrong)) == len(updated(ingresses.KIND, wrong, ingress())) == 1
        assert updated(ingresses.KIND, wrong, wrong) == []
    assert len(updated(ingresses.KIND, ruled("example.com", path="/.."), rule)) == 1


def test_the_class_of_a_new_ingress_is_better_said_in_its_spec() -> None:
    obj = ingress()
    obj["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "a"}
    assert ingresses.KIND.warnings(obj, None) == [
        "annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead"
    ]
    assert ingresses.KIND.warnings(obj, obj) == []
    obj["spec"]["ingressClassName"] = "a"
    assert ingresses.KIND.warnings(obj, None) == []


def with_addresses(*balancers: dict[str, Any]) -> dict[str, Any]:
    return {"status": {"loadBalancer": {"ingress": [*balancers]}}}


def test_an_ingress_is_reached_at_addresses_and_names() -> None:
    def written(new: dict[str, Any], old: dict[str, Any]) -> list[str]:
        return [str(error) for error in ingresses.KIND.validate_status(new, old)]

    path = "status.loadBalancer.ingress[0]"
    old, wrong = with_addresses({"ip": "010.0.0.1"}), with_addresses({"hostname": "10.0.0.1", "ip": "a"})
    assert written(with_addresses({"ip": "10.0.0.1", "hostname": "a.b"}), {}) == written(old, old) == []
    assert written(old, {}) == [f'{path}.ip: Invalid value: "010.0.0.1": must not have leading 0s']
    assert written(wrong, {}) == [
        f'{path}.ip: Invalid value: "a": {NO_IP}',
        f'{path}.hostname: Invalid value: "10.0.0.1": must be a DNS name, not an IP address',
    ]


def test_who_says_where_an_ingress_is_reached_is_warned_of_odd_spellings() -> None:
    odd = with_addresses({"hostname": "a.b"}, {"ip": "2001:DB8::1"})
    assert ingresses.KIND.status_warnings(odd, odd) == [
        'status.loadBalancer.ingress[1]: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format '
        '("2001:db8::1")'
    ]


def of_class(controller: str = "example.com/c", **parameters: Any) -> dict[str, Any]:
    reference = {"kind": "K", "name": "n", **parameters}
    return made({"controller": controller, **({"parameters": reference} if parameters else {})})


LONG = f"example.com/{'x' * 250}"
PARAMETERS = "spec.parameters"
CLASSES = [
    (of_class(),),
    (of_class(scope="Namespace", namespace="n"),),
    (of_class(""), "spec.controller: Required value"),
    (of_class("c"),
     'spec.controller: Invalid value: "c": must be a domain-prefixed path (such as "acme.io/foo")'),
    (of_class("A/b c"),
     f'spec.controller: Invalid value: "A": {SUBDOMAIN}',
     'spec.controller: Invalid value: "b c": Invalid path (regex used for validation is '
     "'[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')"),
    (of_class(LONG), "spec.controller: Too long: may not be more than 250 bytes"),
    (of_class(apiGroup="", kind="", name="%"),
     f'{PARAMETERS}.apiGroup: Invalid value: "": {SUBDOMAIN}',
     f"{PARAMETERS}.kind: Required value",
     f"{PARAMETERS}.name: Invalid value: \"%\": may not contain '%'"),
    (of_class(scope=""),
     f'{PARAMETERS}.scope: Unsupported value: "": supported values: "Cluster", "Namespace"'),
    (of_class(namespace="n"), f"{PARAMETERS}.namespace: Forbidden: `parameters.scope` is set to 'Cluster'"),
    (of_class(scope="Namespace"),
     f"{PARAMETERS}.namespace: Required value: `parameters.scope` is set to 'Namespace'"),
    (of_class(scope="Namespace", namespace="a.b"),
     f'{PARAMETERS}.namespace: Invalid value: "a.b": must not contain dots'),
]  # fmt: skip


@refusals(CLASSES)
def test_an_ingress_class_is_refused_for(case: tuple[Any, ...]) -> None:
    obj, *expected = case
    assert created(ingressclasses.KIND, obj) == expected
    assert updated(ingressclasses.KIND, obj, obj) == expected


def test_an_ingress_class_keeps_its_controller() -> None:
    assert updated(ingressclasses.KIND, of_class("c"), of_class()) == [
        f'spec.controller: Invalid value: "c": {IMMUTABLE}',
        'spec.controller: Invalid value: "c": must be a domain-prefixed path (such as "acme.io/foo")',
    ]


def policy(**spec: Any) -> dict[str, Any]:
    return made(spec)


def on(**port: Any) -> dict[str, Any]:
    return policy(ingress=[{"ports": [port]}])


def of(**peer: Any) -> dict[str, Any]:
    return policy(egress=[{"to": [peer]}])


def block(cidr: str, *excepted: str) -> dict[str, Any]:
    return of(ipBlock={"cidr": cidr, **({"except": [*excepted]} if excepted else {})})


ON, TO = "spec.ingress[0].ports[0]", "spec.egress[0].to[0]"
BITS = "must not have bits set beyond the prefix length"
SUBSET = "must be a strict subset of `cidr`"
BAD = {"matchExpressions": [{"key": "a", "operator": "In"}]}
NO_VALUES = "matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'"
POLICIES = [
    (on(port=80, endPort=90),),
    (block("10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/9"),),
    (on(protocol="ICMP"), f'{ON}.protocol: Unsupported value: "ICMP": supported values: "TCP", "UDP", "SCTP"'),
    (on(port=80, endPort=70), f"{ON}.endPort: Invalid value: 70: must be greater than or equal to `port`"),
    (on(port=80, endPort=70000),
     f"{ON}.endPort: Invalid value: 70000: must be between 1 and 65535, inclusive"),
    (on(port="HTTP", endPort=1),
     f"{ON}.endPort: Invalid value: 1: may not be specified when `port` is non-numeric",
     f'{ON}.port: Invalid value: "HTTP": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
     f'{ON}.port: Invalid value: "HTTP": must contain at least one letter (a-z)'),
    (on(endPort=1), f"{ON}.endPort: Invalid value: 1: may not be specified when `port` is not specified"),
    (of(), f"{TO}: Required value: must specify a peer"),
    (of(podSelector=BAD, namespaceSelector=BAD, ipBlock={}),
     f"{TO}.podSelector.{NO_VALUES}",
     f"{TO}.namespaceSelector.{NO_VALUES}",
     f"{TO}.ipBlock.cidr: Required value",
     f"{TO}: Forbidden: may not specify both ipBlock and another peer"),
    (block("10.0.0.1/8", "10.0.0.0/08"),
     f'{TO}.ipBlock.cidr: Invalid value: "10.0.0.1/8": {BITS}',
     f'{TO}.ipBlock.except[0]: Invalid value: "10.0.0.0/08": must not have leading 0s in IP or prefix length',
     f'{TO}.ipBlock.except[0]: Invalid value: "10.0.0.0/08": {SUBSET}'),
    (block("::ffff:10.0.0.0/104"),
     f'{TO}.ipBlock.cidr: Invalid value: "::ffff:10.0.0.0/104": must not have an IPv4-mapped IPv6 address'),
    (block("10.0.0.0/8", "11.0.0.0/16", "10.0.0.0/8", "2001:db8::/64", "10.0.0.0"),
     f'{TO}.ipBlock.except[0]: Invalid value: "11.0.0.0/16": {SUBSET}',
     f'{TO}.ipBlock.except[1]: Invalid value: "10.0.0.0/8": {SUBSET}',
     f'{TO}.ipBlock.except[2]: Invalid value: "2001:db8::/64": {SUBSET}',
     f'{TO}.ipBlock.except[3]: Invalid value: "10.0.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or '
     "2001:db8::/64)"),
    (block("10.0.0.0", "a"),
     f'{TO}.ipBlock.cidr: Invalid value: "10.0.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or '
     "2001:db8::/64)"),
    (policy(policyTypes=["Ingress", "Both"]),
     'spec.policyTypes[1]: Unsupported value: "Both": supported values: "Ingress", "Egress"'),
    (policy(policyTypes=["A", "B", "C"]),
     'spec.policyTypes: Invalid value: ["A","B","C"]: may not specify more than two policyTypes'),
]  # fmt: skip


@refusals(POLICIES)
def test_a_network_policy_is_refused_for(case: tuple[Any, ...]) -> None:
    obj, *expected = case
    assert created(networkpolicies.KIND, obj) == expected


def test_blocks_that_a_network_policy_had_may_stay_wherever_they_go() -> None:
    old = block("10.0.0.1/8", "10.1.0.1/16")
    moved = policy(ingress=[{"from": old["spec"]["egress"][0]["to"]}])
    other = block("10.0.0.1/8", "10.1.0.2/16")
    assert updated(networkpolicies.KIND, moved, old) == []
    assert updated(networkpolicies.KIND, other, old) == [
        f'{TO}.ipBlock.except[0]: Invalid value: "10.1.0.2/16": {BITS}'
    ]


def test_a_network_policy_is_warned_of_blocks_that_may_be_misread() -> None:
    peers = [{"ipBlock": {"cidr": "2001:DB8::/32", "except": ["2001:db8:1::/48", "2001:db8:02::/48"]}}]
    obj = policy(ingress=[{"from": peers}], egress=[{"to": [{"ipBlock": {"cidr": "10.0.0.1/8"}}]}])
    first, second, third = networkpolicies.KIND.warnings(obj, None)
    canonical = "should be in RFC 5952 canonical format"
    at = "spec.ingress[0].from[0].ipBlock"
    assert first == f'{at}.cidr: IPv6 CIDR value "2001:DB8::/32" {canonical} ("2001:db8::/32")'
    assert second == f'{at}.except[1]: IPv6 CIDR value "2001:db8:02::/48" {canonical} ("2001:db8:2::/48")'
    assert third.startswith(f'{TO}.ipBlock.cidr: CIDR value "10.0.0.1/8" is ambiguous in this context')


def address(of: str = "10.0.0.1", /, **parent: Any) -> dict[str, Any]:
    reference = {"resource": "services", "namespace": "n", "name": "s", **parent}
    return made({"parentRef": reference}, of)


REF = "spec.parentRef"
ADDRESSES = [
    (address(),),
    (address("2001:db8::1", group="example.com"),),
    (address("x"), f'metadata.name: Invalid value: "x": {NO_IP}'),
    (address("2001:db8:0::1"),
     'metadata.name: Invalid value: "2001:db8:0::1": must be in canonical form ("2001:db8::1")'),
    (made({}, "10.0.0.1"), f"{REF}: Required value"),
    (made({"parentRef": {}}, "10.0.0.1"),
     f"{REF}.resource: Required value",
     f"{REF}.name: Required value"),
    (address(group="A", resource="a/b", name="..", namespace="%"),
     f'{REF}.group: Invalid value: "A": {SUBDOMAIN}',
     f"{REF}.resource: Invalid value: \"a/b\": may not contain '/'",
     f"{REF}.name: Invalid value: \"..\": may not be '..'",
     f"{REF}.namespace: Invalid value: \"%\": may not contain '%'"),
]  # fmt: skip


@refusals(ADDRESSES)
def test_an_address_is_refused_for(case: tuple[Any, ...]) -> None:
    obj, *expected = case
    assert created(ipaddresses.KIND, obj) == expected


def test_an_address_stays_with_whom_it_belongs_to() -> None:
    assert updated(ipaddresses.KIND, address(group=""), address()) == []
    assert updated(ipaddresses.KIND, address(name="t"), address()) == [
        f'{REF}: Invalid value: {{"Group":"","Resource":"services","Namespace":"n","Name":"t"}}: {IMMUTABLE}'
    ]


def ranges(*cidrs: str) -> dict[str, Any]:
    return made({"cidrs": [*cidrs]})


FAMILIES = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
RANGES = [
    (ranges("10.0.0.0/24", "2001:db8::/64"),),
    (ranges(), "spec.cidrs: Required value: at least one CIDR required"),
    (ranges("a", "b", "c"),
     'spec.cidrs: Invalid value: {"CIDRs":["a","b","c"]}: may only hold up to 2 values'),
    (ranges("10.0.0.1/24", "2001:DB8::/64"),
     f'spec.cidrs[0]: Invalid value: "10.0.0.1/24": {BITS}',
     'spec.cidrs[1]: Invalid value: "2001:DB8::/64": must be in canonical form ("2001:db8::/64")'),
    (ranges("10.0.0.0/24", "10.0.1.0/24"),
     f'spec.cidrs: Invalid value: ["10.0.0.0/24","10.0.1.0/24"]: {FAMILIES}'),
]  # fmt: skip


@refusals(RANGES)
def test_ranges_of_services_are_refused_for(case: tuple[Any, ...]) -> None:
    obj, *expected = case
    assert created(servicecidrs.KIND, obj) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (ranges("10.0.0.0/24"), ranges("10.0.0.0/24", "2001:db8::/64"), []),
        (ranges("a"), ranges("a"), []),
        (ranges("10.0.0.0/24"), ranges("10.0.1.0/24"),
         [f'spec.cidrs[0]: Invalid value: "10.0.1.0/24": {IMMUTABLE}']),
        (ranges("10.0.0.0/24"), ranges("10.0.1.0/24", "10.0.0.0/24"),
         [f'spec.cidrs[0]: Invalid value: "10.0.1.0/24": {IMMUTABLE}',
          f'spec.cidrs: Invalid value: ["10.0.1.0/24","10.0.0.0/24"]: {FAMILIES}']),
        (ranges("10.0.0.0/24", "2001:db8::/64"), ranges("10.0.0.0/24"),
         [f'spec.cidrs: Invalid value: ["10.0.0.0/24"]: {IMMUTABLE}']),
    ],
)  # fmt: skip
def test_ranges_of_services_stay_and_the_other_family_may_come(
    old: dict[str, Any], new: dict[str, Any], expected: list[str]
) -> None:
    assert updated(servicecidrs.KIND, new, old) == expected


def test_the_name_of_a_service_may_begin_with_a_digit() -> None:
    rule = services.KIND.name_rule
    assert names.object_name(rule, "0-first") == []
    assert names.object_name(rule, "a.b") == ["must not contain dots"]
