"""What flow schemas and priority levels are refused for."""

import copy
from typing import Any

import pytest

from mamekube.apiserver.flow import flow_control
from mamekube.kinds.flowcontrol import flowschemas, mandatory, prioritylevelconfigurations
from mamekube.kinds.kind import Kind

LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
VERBS = '"create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"'
RESOURCES = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "namespaces": ["default"]}
URLS = {"verbs": ["*"], "nonResourceURLs": ["/a/*", "/"]}
GROUP = {"kind": "Group", "group": {"name": "g"}}


def refused(kind: Kind, obj: dict[str, Any]) -> list[str]:
    obj = copy.deepcopy(obj)
    kind.default(obj)
    return [str(error) for error in kind.validate(obj)]


def schema(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "s"}, "spec": {"priorityLevelConfiguration": {"name": "l"}, **spec}}


def by(*subjects: dict[str, Any]) -> dict[str, Any]:
    return schema(rules=[{"subjects": list(subjects), "resourceRules": [RESOURCES]}])


def of(resources: dict[str, Any] | None = None, urls: dict[str, Any] | None = None) -> dict[str, Any]:
    rule: dict[str, Any] = {"subjects": [GROUP]}
    if resources is not None:
        rule["resourceRules"] = [{**RESOURCES, **resources}]
    if urls is not None:
        rule["nonResourceRules"] = [{**URLS, **urls}]
    return schema(rules=[rule])


P, S = "spec.matchingPrecedence", "spec.rules[0].subjects[0]"
R, N = "spec.rules[0].resourceRules[0]", "spec.rules[0].nonResourceRules[0]"
SCHEMAS = [
    (of({}, {}),),
    (schema(matchingPrecedence=-1), f"{P}: Invalid value: -1: must be a positive value"),
    (schema(matchingPrecedence=10001), f"{P}: Invalid value: 10001: must not be greater than 10000"),
    (schema(matchingPrecedence=1),
     f"{P}: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1"),
    (schema(distinguisherMethod={"type": "ByVerb"}, priorityLevelConfiguration=None),
     'spec.distinguisherMethod.type: Unsupported value: {"Type":"ByVerb"}: supported values: "ByNamespace", "ByUser"',
     "spec.priorityLevelConfiguration.name: Required value: must reference a priority level"),
    (schema(rules=[{}]),
     "spec.rules[0].subjects: Required value: subjects must contain at least one value",
     "spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty"),
    (by({"kind": "Role"}), f'{S}.kind: Unsupported value: "Role": supported values: "Group", "ServiceAccount", "User"'),
    (by({"kind": "User", "group": {}, "serviceAccount": {}}),
     f"{S}.user: Required value: user is required when subject kind is 'User'",
     f"{S}.serviceAccount: Forbidden: serviceAccount is forbidden when subject kind is not 'ServiceAccount'",
     f"{S}.group: Forbidden: group is forbidden when subject kind is not 'Group'"),
    (by({"kind": "Group", "group": {}}), f"{S}.group.name: Required value"),
    (by({"kind": "ServiceAccount", "serviceAccount": {"name": "*", "namespace": "n"}}),),
    (by({"kind": "ServiceAccount", "serviceAccount": {}}),
     f"{S}.serviceAccount.name: Required value",
     f"{S}.serviceAccount.namespace: Required value: must specify namespace for service account"),
    (by({"kind": "ServiceAccount", "serviceAccount": {"name": "a", "namespace": "*"}}),
     f'{S}.serviceAccount.namespace: Invalid value: "*": {LABEL}'),
    (of({"verbs": [], "apiGroups": [], "resources": [], "namespaces": []}),
     f"{R}.verbs: Required value: verbs must contain at least one value",
     f"{R}.apiGroups: Required value: resource rules must supply at least one api group",
     f"{R}.resources: Required value: resource rules must supply at least one resource",
     f"{R}.namespaces: Required value: resource rules that are not cluster scoped must supply at least one namespace"),
    (of({field: ["*", "a"] for field in ("verbs", "apiGroups", "resources", "namespaces")}),
     f"{R}.verbs: Invalid value: [\"*\",\"a\"]: if '*' is present, must not specify other verbs",
     f"{R}.apiGroups: Invalid value: [\"*\",\"a\"]: if '*' is present, must not specify other api groups",
     f"{R}.resources: Invalid value: [\"*\",\"a\"]: if '*' is present, must not specify other resources",
     f"{R}.namespaces: Invalid value: [\"*\",\"a\"]: if '*' is present, must not specify other namespaces"),
    (of({"verbs": ["get", "post"], "namespaces": [], "clusterScope": True}),
     f'{R}.verbs: Unsupported value: ["get","post"]: supported values: {VERBS}'),
    (of({"namespaces": ["A"]}),
     f"{R}.namespaces[0]: Invalid value: \"A\": each member of this list must be '*' or a DNS-1123 label; {LABEL}"),
    (of(urls={"nonResourceURLs": []}),
     f"{N}.nonResourceURLs: Required value: nonResourceURLs must contain at least one value"),
    (of(urls={"nonResourceURLs": ["*", "/a"]}),
     f"{N}.nonResourceURLs: Invalid value: [\"*\",\"/a\"]: if '*' is present, must not specify other non-resource "
     "URLs"),
    (of(urls={"nonResourceURLs": ["", "a", "/a b", "//", "/*/a", "/a*", "/*/*"]}),
     f'{N}.nonResourceURLs[0]: Invalid value: "": must not be empty',
     f'{N}.nonResourceURLs[1]: Invalid value: "a": must start with slash',
     f'{N}.nonResourceURLs[2]: Invalid value: "/a b": must not contain white-space',
     f'{N}.nonResourceURLs[3]: Invalid value: "//": must not contain double slash',
     *(f'{N}.nonResourceURLs[{index}]: Invalid value: "{url}": wildcard can only do suffix matching'
       for index, url in enumerate(("/*/a", "/a*", "/*/*"), 4))),
]  # fmt: skip


@pytest.mark.parametrize("case", SCHEMAS, ids=lambda case: case[-1][:70] if case[1:] else "fine")
def test_a_flow_schema_is_refused_for(case: tuple[Any, ...]) -> None:
    obj, *expected = case
    assert refused(flowschemas.KIND, obj) == expected


def level(name: str = "l", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec}


def limited(**more: Any) -> dict[str, Any]:
    return level(type="Limited", limited={"limitResponse": {"type": "Reject"}, **more})


def queuing(**sizes: int) -> dict[str, Any]:
    return limited(limitResponse={"type": "Queue", "queuing": sizes})


L, Q = "spec.limited", "spec.limited.limitResponse.queuing"
LEVELS = [
    (limited(nominalConcurrencyShares=0, borrowingLimitPercent=0),),
    (queuing(),),
    (level(),
     'spec.type: Unsupported value: "": supported values: "Exempt", "Limited"'),
    (level(type="Exempt", limited={}),
     "spec.type: Invalid value: \"Exempt\": type must be 'Exempt' if and only if name is 'exempt'",
     "spec.limited: Forbidden: must be nil if the type is not Limited"),
    (level(type="Limited", exempt={}),
     "spec.exempt: Forbidden: must be nil if the type is Limited",
     "spec.limited: Required value: must not be empty when type is Limited"),
    (limited(nominalConcurrencyShares=-1, limitResponse=None, lendablePercent=101, borrowingLimitPercent=-1),
     f"{L}.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer",
     f'{L}.limitResponse.type: Unsupported value: "": supported values: "Queue", "Reject"',
     f"{L}.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive",
     f"{L}.borrowingLimitPercent: Invalid value: -1: if specified, must be a non-negative integer"),
    (limited(limitResponse={"type": "Reject", "queuing": {}}),
     f"{Q}: Forbidden: must be nil if limited.limitResponse.type is not Limited"),
    (limited(limitResponse={"type": "Queue"}),
     f"{Q}: Required value: must not be empty if limited.limitResponse.type is Limited"),
    (queuing(queueLengthLimit=-1, queues=-1, handSize=-1),
     f"{Q}.queueLengthLimit: Invalid value: -1: must be positive",
     f"{Q}.queues: Invalid value: -1: must be positive",
     f"{Q}.handSize: Invalid value: -1: must be positive"),
    (queuing(queues=10_000_001, handSize=2),
     f"{Q}.queues: Invalid value: 10000001: must not be greater than 10000000"),
    (queuing(queues=4, handSize=5), f"{Q}.handSize: Invalid value: 5: should not be greater than queues (4)"),
    (queuing(queues=128, handSize=9),
     f"{Q}.handSize: Invalid value: 9: required entropy bits of deckSize 128 and handSize 9 should not be greater than "
     "60"),
    (level("exempt", type="Exempt", exempt={"nominalConcurrencyShares": 7, "lendablePercent": 50}),),
    (level("exempt", type="Exempt", exempt={"nominalConcurrencyShares": -1, "lendablePercent": -1}),
     "spec.exempt.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer",
     "spec.exempt.lendablePercent: Invalid value: -1: must be between 0 and 100, inclusive"),
]  # fmt: skip


@pytest.mark.parametrize("case", LEVELS, ids=lambda case: case[-1][:70] if case[1:] else "fine")
def test_a_priority_level_is_refused_for(case: tuple[Any, ...]) -> None:
    obj, *expected = case
    assert refused(prioritylevelconfigurations.KIND, obj) == expected


def test_what_every_cluster_is_born_with_passes() -> None:
    for obj in flow_control.flow_schemas():
        assert refused(flowschemas.KIND, obj) == []
    for obj in flow_control.priority_levels():
        assert refused(prioritylevelconfigurations.KIND, obj) == []


def test_the_mandatory_ones_stay_what_they_are() -> None:
    catch_all = copy.deepcopy(mandatory.FLOW_SCHEMAS["catch-all"])
    exempt = {**mandatory.FLOW_SCHEMAS["exempt"], "distinguisherMethod": None}
    assert refused(flowschemas.KIND, {"metadata": {"name": "exempt"}, "spec": exempt}) == []
    catch_all["matchingPrecedence"] = 9999
    (error,) = refused(flowschemas.KIND, {"metadata": {"name": "catch-all"}, "spec": catch_all})
    assert error.startswith("spec: Invalid value: {") and error.endswith(
        ": spec of 'catch-all' must equal the fixed value"
    )
    rejecting = copy.deepcopy(mandatory.PRIORITY_LEVELS["catch-all"])
    rejecting["limited"]["nominalConcurrencyShares"] = 6
    (error,) = refused(prioritylevelconfigurations.KIND, level("catch-all", **rejecting))
    assert error.endswith(": spec of 'catch-all' must equal the fixed value")
    errors = refused(prioritylevelconfigurations.KIND, level("exempt", type="Limited", limited={}))
    assert errors[-1].endswith(": spec of 'exempt' except the 'spec.exempt' field must equal the fixed value")


@pytest.mark.parametrize(
    "kind", [flowschemas.KIND, prioritylevelconfigurations.KIND], ids=lambda kind: kind.plural
)
def test_the_status_says_each_thing_once(kind: Kind) -> None:
    status = {"conditions": [{"type": "A"}, {"type": "A"}, {}]}
    assert [str(error) for error in kind.validate_status({"status": status}, {})] == [
        'status.conditions[1].type: Duplicate value: "A"',
        "status.conditions[2].type: Required value: must not be empty",
    ]


def test_how_a_level_queues_is_filled_in_where_it_says_only_that_it_does() -> None:
    obj = queuing()
    prioritylevelconfigurations.KIND.default(obj)
    response = obj["spec"]["limited"]["limitResponse"]
    assert response["queuing"] == {"queues": 64, "handSize": 8, "queueLengthLimit": 50}
