"""Which audit rule decides about a request."""

from __future__ import annotations

from typing import Any

import pytest

from mamekube.apiserver.auditing.audit_policy import LEVELS, InvalidPolicy, parse_policy
from mamekube.apiserver.request import User, parse_request

ALICE = User("alice", ("devs", "system:authenticated"))


def level_of(rule: dict[str, Any], target: str, *, method: str = "GET") -> str:
    document = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Request", **rule}]}
    request = parse_request(method, target, headers={})
    return LEVELS[parse_policy(document).rule_for(request, ALICE).level]


POD = "/api/v1/namespaces/default/pods/a"


@pytest.mark.parametrize(
    ("rule", "target", "matches"),
    [
        ({}, POD, True),
        ({}, "/version", True),
        ({"users": ["bob"]}, POD, False),
        ({"users": ["alice"]}, POD, True),
        ({"userGroups": ["devs"]}, POD, True),
        ({"userGroups": ["ops"]}, POD, False),
        ({"verbs": ["list"]}, POD, False),
        ({"verbs": ["get"]}, POD, True),
        ({"resources": [{"group": ""}]}, POD, True),
        ({"resources": [{"group": "apps"}]}, POD, False),
        ({"resources": [{"resources": ["pods"]}]}, POD, True),
        ({"resources": [{"resources": ["pods"]}]}, f"{POD}/log", False),
        ({"resources": [{"resources": ["pods/log"]}]}, f"{POD}/log", True),
        ({"resources": [{"resources": ["pods/*"]}]}, f"{POD}/log", True),
        ({"resources": [{"resources": ["pods/*"]}]}, POD, True),
        ({"resources": [{"resources": ["*/log"]}]}, f"{POD}/log", True),
        ({"resources": [{"resources": ["*"]}]}, f"{POD}/log", True),
        ({"resources": [{"resources": ["pods"], "resourceNames": ["b"]}]}, POD, False),
        ({"namespaces": ["default"]}, POD, True),
        ({"namespaces": ["kube-system"]}, POD, False),
        ({"namespaces": ["default"]}, "/version", False),
        ({"nonResourceURLs": ["/version"]}, "/version", True),
        ({"nonResourceURLs": ["/health*"]}, "/healthz", True),
        ({"nonResourceURLs": ["/version"]}, POD, False),
    ],
)
def test_a_rule_matches_what_it_names(rule: dict[str, Any], target: str, matches: bool) -> None:
    assert level_of(rule, target) == ("Request" if matches else "None")


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ([], "no Policy"),
        ({"kind": "Policy", "apiVersion": "v1"}, "unknown group version"),
        ({"kind": "Policy", "apiVersion": "audit.k8s.io/v1"}, "0 rules"),
        ({"kind": "Policy", "apiVersion": "audit.k8s.io/v1", "rules": [{"level": "All"}]}, "Unsupported"),
        (
            {
                "kind": "Policy",
                "apiVersion": "audit.k8s.io/v1",
                "rules": [{"level": "None"}],
                "omitStages": ["x"],
            },
            "omitStages",
        ),
    ],
)
def test_what_is_no_policy_is_refused(document: Any, why: str) -> None:
    with pytest.raises(InvalidPolicy, match=why):
        parse_policy(document)


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({}, "rules[0].level: Required value"),
        (
            {"level": "Metadata", "omitStages": ["x"]},
            'rules[0].omitStages[0]: Invalid value: "x": allowed stages are '
            "RequestReceived,ResponseStarted,ResponseComplete,Panic",
        ),
        (
            {"level": "None", "nonResourceURLs": ["healthz"]},
            "rules[0].nonResourceURLs[0]: Invalid value: \"healthz\": non-resource URL rules must begin with a '/' "
            "character",
        ),
        (
            {"level": "None", "nonResourceURLs": ["/a*b"]},
            "rules[0].nonResourceURLs[0]: Invalid value: \"/a*b\": non-resource URL wildcards '*' must be the final "
            "character of the rule",
        ),
        (
            {"level": "None", "nonResourceURLs": ["/a"], "namespaces": ["n"]},
            'rules[0].nonResourceURLs: Invalid value: ["/a"]: rules cannot apply to both regular resources and '
            "non-resource URLs",
        ),
        (
            {"level": "None", "resources": [{"resourceNames": ["a"]}]},
            'rules[0].resources[0].resourceNames: Invalid value: ["a"]: using resourceNames requires at least one '
            "resource",
        ),
        ("no rule", "the document has not the form of a Policy of audit.k8s.io/v1"),
    ],
)
def test_a_rule_that_says_nothing_is_refused_with_its_place(rule: Any, why: str) -> None:
    with pytest.raises(InvalidPolicy) as caught:
        parse_policy({"kind": "Policy", "apiVersion": "audit.k8s.io/v1", "rules": [rule]})
    assert str(caught.value) == why
