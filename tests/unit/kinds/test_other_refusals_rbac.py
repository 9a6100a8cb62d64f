"""What roles and bindings are refused for."""

import copy
from typing import Any

import pytest

from mamekube.kinds.kind import Kind
from mamekube.kinds.rbac import clusterrolebindings, clusterroles, rolebindings, roles

GROUP = "rbac.authorization.k8s.io"
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def refused(kind: Kind, obj: dict[str, Any]) -> list[str]:
    obj = copy.deepcopy(obj)
    kind.default(obj)
    return [str(error) for error in (*kind.validate(obj), *kind.validate_create(obj))]


READ = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"]}
VERSION = {"verbs": ["get"], "nonResourceURLs": ["/version"]}
BOTH = "rules cannot apply to both regular resources and non-resource URLs"
ROLES = [
    (roles.KIND, [READ]),
    (clusterroles.KIND, [READ, VERSION]),
    (roles.KIND, [{"apiGroups": []}],
     "rules[0].verbs: Required value: verbs must contain at least one value",
     "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
     "rules[0].resources: Required value: resource rules must supply at least one resource"),
    (roles.KIND, [READ, {**VERSION, "verbs": []}],
     "rules[1].verbs: Required value: verbs must contain at least one value",
     'rules[1].nonResourceURLs: Invalid value: ["/version"]: namespaced rules cannot apply to non-resource URLs'),
    (clusterroles.KIND, [{**VERSION, "resourceNames": ["a"]}],
     f'rules[0].nonResourceURLs: Invalid value: ["/version"]: {BOTH}'),
]  # fmt: skip


@pytest.mark.parametrize("case", ROLES, ids=lambda case: case[-1][:70] if case[2:] else "fine")
def test_the_rules_of_a_role_are_refused_for(case: tuple[Any, ...]) -> None:
    kind, rules, *expected = case
    assert refused(kind, {"rules": rules}) == expected


def test_a_role_that_gathers_others_says_which() -> None:
    at = "aggregationRule.clusterRoleSelectors"
    bad = {"matchExpressions": [{"key": "a", "operator": "Has"}]}
    assert refused(clusterroles.KIND, {"aggregationRule": {}}) == [
        f"{at}: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil"
    ]
    assert refused(
        clusterroles.KIND, {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}, bad]}}
    ) == [
        f'{at}[1].matchExpressions[0].operator: Invalid value: "Has": not a valid selector operator',
        f'{at}[1]: Invalid value: "null": invalid label selector.',
    ]


def binding(*subjects: dict[str, Any], **role: str) -> dict[str, Any]:
    return {"roleRef": {"kind": "ClusterRole", "name": "r", **role}, "subjects": list(subjects)}


ACCOUNT = {"kind": "ServiceAccount", "name": "a", "namespace": "n"}
BINDINGS = [
    (rolebindings.KIND, binding({"kind": "User", "name": "a"}, {"kind": "Group", "name": "a"}, ACCOUNT)),
    (rolebindings.KIND, binding({"kind": "ServiceAccount", "name": "a"}, kind="Role")),
    (rolebindings.KIND, {},
     f'roleRef.apiGroup: Unsupported value: "": supported values: "{GROUP}"',
     'roleRef.kind: Unsupported value: "": supported values: "Role", "ClusterRole"',
     "roleRef.name: Required value"),
    (rolebindings.KIND, binding(kind="Rule", name="a/b", apiGroup="apps"),
     f'roleRef.apiGroup: Unsupported value: "apps": supported values: "{GROUP}"',
     'roleRef.kind: Unsupported value: "Rule": supported values: "Role", "ClusterRole"',
     "roleRef.name: Invalid value: \"a/b\": may not contain '/'"),
    (clusterrolebindings.KIND, binding({"kind": "ServiceAccount", "name": "a"}, kind="Role"),
     'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
     "subjects[0].namespace: Required value"),
    (rolebindings.KIND, binding({}, {"kind": "User", "apiGroup": "apps"}, {"kind": "Group"}),
     "subjects[0].name: Required value",
     'subjects[0].kind: Unsupported value: "": supported values: "ServiceAccount", "User", "Group"',
     "subjects[1].name: Required value",
     f'subjects[1].apiGroup: Unsupported value: "apps": supported values: "{GROUP}"',
     "subjects[2].name: Required value"),
    (rolebindings.KIND, binding({**ACCOUNT, "name": "A", "apiGroup": GROUP}),
     f'subjects[0].name: Invalid value: "A": {SUBDOMAIN}',
     f'subjects[0].apiGroup: Unsupported value: "{GROUP}": supported values: ""'),
]  # fmt: skip


@pytest.mark.parametrize("case", BINDINGS, ids=lambda case: case[-1][:70] if case[2:] else "fine")
def test_a_binding_is_refused_for(case: tuple[Any, ...]) -> None:
    kind, obj, *expected = case
    assert refused(kind, obj) == expected


@pytest.mark.parametrize("kind", [rolebindings.KIND, clusterrolebindings.KIND], ids=lambda kind: kind.plural)
def test_a_binding_keeps_its_role(kind: Kind) -> None:
    old, new = binding(ACCOUNT), binding(name="s")
    for obj in (old, new):
        kind.default(obj)
    assert kind.validate_update({**old, "subjects": []}, old) == []
    (error,) = kind.validate_update(new, old)
    assert str(error) == (
        f'roleRef: Invalid value: {{"APIGroup":"{GROUP}","Kind":"ClusterRole","Name":"s"}}: cannot change roleRef'
    )
