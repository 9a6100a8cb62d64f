"""Which flow schema takes a request."""

from __future__ import annotations

import pytest

from mamekube.apiserver.flow import flow_control
from mamekube.apiserver.flow.flow_schemas import Schema, compile_schema, ordered
from mamekube.apiserver.request import Request, User, parse_request

SCHEMAS = ordered([compile_schema(schema) for schema in flow_control.flow_schemas()])
AUTHENTICATED = "system:authenticated"


def request(target: str, user: str, *groups: str, method: str = "GET") -> Request:
    made = parse_request(method, target, headers={})
    made.user = User(user, (*groups, AUTHENTICATED))
    return made


def schema_of(made: Request) -> str:
    return next(schema.name for schema in SCHEMAS if schema.matches(made))


ACCOUNTS = ("system:serviceaccounts", "system:serviceaccounts:team")
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/a"


@pytest.mark.parametrize(
    ("target", "user", "groups", "schema"),
    [
        ("/api/v1/pods", "admin", ("system:masters",), "exempt"),
        ("/readyz", "anyone", (), "probes"),
        ("/readyz/ping", "anyone", (), "global-default"),
        (LEASE, "system:kube-scheduler", (), "system-leader-election"),
        ("/api/v1/nodes/n1/status", "system:node:n1", ("system:nodes",), "system-node-high"),
        ("/api/v1/pods", "system:node:n1", ("system:nodes",), "system-nodes"),
        ("/api/v1/pods", "system:kube-scheduler", (), "kube-scheduler"),
        ("/api/v1/namespaces/a/endpoints/b", "system:kube-controller-manager", (), "endpoint-controller"),
        ("/api/v1/pods", "system:serviceaccount:kube-system:dns", ACCOUNTS, "kube-system-service-accounts"),
        ("/api/v1/pods", "system:serviceaccount:team:app", ACCOUNTS, "service-accounts"),
        ("/api/v1/pods", "alice", (), "global-default"),
        ("/version", "alice", (), "global-default"),
    ],
)
def test_the_suggested_schemas_take_what_upstream_means(
    target: str, user: str, groups: tuple[str, ...], schema: str
) -> None:
    assert schema_of(request(target, user, *groups)) == schema


def rule(**resource_rule: object) -> Schema:
    entry = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], **resource_rule}
    spec = {"rules": [{"subjects": [{"kind": "User", "user": {"name": "*"}}], "resourceRules": [entry]}]}
    return compile_schema({"metadata": {"name": "s"}, "spec": spec})


@pytest.mark.parametrize(
    ("entry", "target", "matches"),
    [
        ({"resources": ["pods"]}, "/api/v1/namespaces/a/pods", True),
        ({"resources": ["pods"]}, "/api/v1/namespaces/a/pods/b/status", False),
        ({"resources": ["pods/status"]}, "/api/v1/namespaces/a/pods/b/status", True),
        ({"namespaces": ["b"]}, "/api/v1/namespaces/a/pods", False),
        ({}, "/api/v1/nodes", False),
        ({"clusterScope": True}, "/api/v1/nodes", True),
        ({"verbs": ["list"]}, "/api/v1/namespaces/a/pods", True),
        ({"verbs": ["get"]}, "/api/v1/namespaces/a/pods", False),
    ],
)
def test_resource_rules(entry: dict[str, object], target: str, matches: bool) -> None:
    assert rule(**entry).matches(request(target, "alice")) is matches


def test_flows_are_told_apart_by_user_or_by_namespace() -> None:
    by_name = {schema.name: schema for schema in SCHEMAS}
    made = request("/api/v1/namespaces/team/pods", "alice")
    assert by_name["service-accounts"].flow_of(made) == "alice"
    assert by_name["kube-scheduler"].flow_of(made) == "team"
    assert by_name["exempt"].flow_of(made) == ""
