"""PUT and apply where there is no object yet: they make one, for whoever may create it."""

from __future__ import annotations

import json

import pytest

from mamekube.apiserver import objectmeta

BINDINGS = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings"
ROLES = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles"
AS_PANDA = {"Impersonate-User": "panda"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}
LIMITS = "/api/v1/namespaces/default/limitranges"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


async def grant(web, resource, *verbs):
    name = "-".join(verbs)
    rule = {"apiGroups": [""], "resources": [resource], "verbs": [*verbs]}
    await web.send("POST", ROLES, {"metadata": {"name": name}, "rules": [rule]})
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "panda"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    await web.send("POST", BINDINGS, {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]})


async def put(web, name):
    body = {"metadata": {"name": name}, "spec": {"limits": [{"type": "Pod"}]}}
    return await web.send("PUT", f"{LIMITS}/{name}", body, headers=AS_PANDA)


async def apply(web, name):
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
    path = f"{CONFIG_MAPS}/{name}?fieldManager=panda"
    return await web.send("PATCH", path, json.dumps(body).encode(), headers={**AS_PANDA, **APPLY})


@pytest.mark.parametrize(
    ("write", "verb", "plural"), [(put, "update", "limitranges"), (apply, "patch", "configmaps")]
)
async def test_who_makes_an_object_by_writing_it_must_be_allowed_to_create_it(web, write, verb, plural):
    """Upstream: TestCreateOnApplyFailsWithForbidden."""
    forbidden = (
        '{} "a" is forbidden: User "panda" cannot {} resource "{}" in API group "" in the namespace "default"'
    )
    answer = await write(web, "a")
    assert (answer.code, answer.body["message"]) == (403, forbidden.format(plural, verb, plural))
    await grant(web, plural, verb)
    answer = await write(web, "a")
    assert (answer.code, answer.body["message"]) == (403, forbidden.format(plural, "create", plural))
    assert answer.body["details"] == {"name": "a", "kind": plural}
    await grant(web, plural, "create")
    assert (await write(web, "a")).code == 201
    assert (await write(web, "a")).code == 200


A, B = ({"apiVersion": "v1", "kind": "Node", "name": name, "uid": f"uid-{name}"} for name in "ab")
TEXT = (
    ".metadata.ownerReferences contains duplicate entries{}; API server dedups owner references in 1.20+, and may "
    "reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {}"
)
ADMITTED = " after mutating admission happens"


def warned(answer):
    return [text.removeprefix('299 - "').removesuffix('"') for text in answer.headers.getall("Warning", [])]


@pytest.mark.parametrize(
    ("owners", "left", "uids"),
    [
        ([A, A], [A], "uid-a"),
        ([A, B, A, B, A], [A, B], "uid-a, uid-b, uid-a"),
        ([A, B], [A, B], ""),
        ([A, {**A, "name": "other"}], [A, {**A, "name": "other"}], ""),
    ],
)
async def test_owners_that_are_named_twice_are_kept_once(web, owners, left, uids):
    """Upstream: TestDedupOwnerReferences. A patch is looked at after admission only."""
    body = {"metadata": {"name": "a", "ownerReferences": owners}}
    before, after = ([TEXT.format(when, uids)] if uids else [] for when in ("", ADMITTED))
    merge = {"Content-Type": "application/merge-patch+json"}
    answers = [
        await web.send("POST", CONFIG_MAPS, body),
        await web.send("PUT", f"{CONFIG_MAPS}/a", body),
        await web.send("PATCH", f"{CONFIG_MAPS}/a", body, headers=merge),
    ]
    assert [answer.body["metadata"]["ownerReferences"] for answer in answers] == [left] * 3
    assert [warned(answer) for answer in answers] == [before, before, after]


def test_owners_are_not_compared_with_each_other():
    """Of a hundred thousand, all requests would wait for that."""

    class Owner(dict):
        def __eq__(self, other):
            raise AssertionError

    owners = [Owner(A, uid=str(number)) for number in range(3)]
    obj = {"metadata": {"ownerReferences": [*owners, owners[0]]}}
    objectmeta.drop_repeated_owners(obj, [])
    assert [owner["uid"] for owner in obj["metadata"]["ownerReferences"]] == ["0", "1", "2"]
