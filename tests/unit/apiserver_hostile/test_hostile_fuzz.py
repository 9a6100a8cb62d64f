"""Valid requests with seeded damage: whatever comes of them, it is an answer below 500."""

import asyncio
import copy
import json
import random

import pytest
from tests.unit.apiserver_hostile.site import (
    CONFIGMAPS,
    DEPLOYMENTS,
    GUARD_S,
    PODS,
    SECRETS,
    config_map,
    deployment,
)

CASES = 500
UPSTREAMS_500 = "failed to create typed patch object ("
"""Upstream, too, answers 500 to what is applied with wrong types: its field manager's error is no API error."""
SHARDS = 5
ODD = (
    None,
    True,
    0,
    -1,
    1.5,
    2**31,
    2**63,
    10**30,
    "",
    "x",
    "\x00",
    "é\u2028",
    "a" * 5000,
    [],
    {},
    [None],
    {"": None},
    [[]],
    "1Gi",
    "NaN",
)
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p"},
    "spec": deployment("p")["spec"]["template"]["spec"],
}
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "s"},
    "type": "Opaque",
    "data": {"k": "YQ=="},
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "w"},
    "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]},
}
OPERATIONS = [{"op": "add", "path": "/data/x", "value": "y"}, {"op": "test", "path": "/data/k", "value": "v"}]
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
VALID = (
    ("POST", CONFIGMAPS, config_map("new", k="v"), "application/json"),
    ("PUT", f"{CONFIGMAPS}/standing", config_map("standing", k="v"), "application/json"),
    ("POST", DEPLOYMENTS, deployment("new"), "application/json"),
    ("POST", DEPLOYMENTS, deployment("new"), "application/yaml"),
    ("PUT", f"{DEPLOYMENTS}/web", deployment("web"), "application/json"),
    ("PATCH", f"{DEPLOYMENTS}/web", deployment("web"), MERGE),
    ("PATCH", f"{DEPLOYMENTS}/web", deployment("web"), STRATEGIC),
    ("PATCH", f"{DEPLOYMENTS}/web?fieldManager=m&force=true", deployment("web"), APPLY),
    ("PATCH", f"{CONFIGMAPS}/standing", OPERATIONS, "application/json-patch+json"),
    (
        "PUT",
        f"{DEPLOYMENTS}/web/scale",
        {"metadata": {"name": "web"}, "spec": {"replicas": 2}},
        "application/json",
    ),
    ("POST", PODS, POD, "application/json"),
    ("POST", SECRETS, SECRET, "application/json"),
    ("POST", "/api/v1/namespaces/default/services", SERVICE, "application/json"),
    (
        "DELETE",
        f"{CONFIGMAPS}/none",
        {"gracePeriodSeconds": 0, "preconditions": {"uid": "x"}},
        "application/json",
    ),
)


def places(value):
    """Every container with a key in it."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in parts:
        yield value, key
        yield from places(item)


def damage(chance, body):
    """The body with one to three values replaced, removed, moved or doubled; sometimes its bytes as well."""
    body = copy.deepcopy(body)
    for _ in range(chance.randint(1, 3)):
        found = list(places(body))
        if not found:
            break
        container, key = chance.choice(found)
        turn = chance.randrange(4)
        if turn == 0:
            del container[key]
        elif turn == 1:
            other, from_ = chance.choice(found)
            container[key] = copy.deepcopy(other.get(from_) if isinstance(other, dict) else other[-1:])
        else:
            container[key] = copy.deepcopy(chance.choice(ODD))
    data = bytearray(json.dumps(body).encode())
    if chance.random() < 0.2:
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


@pytest.mark.parametrize("seed", range(SHARDS))
async def test_damage_never_fails_inside_and_never_hangs(site, seed):
    chance = random.Random(seed)
    await site.send("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    failed = []
    for _ in range(CASES // SHARDS):
        method, path, body, content_type = chance.choice(VALID)
        sep = "&" if "?" in path else "?"
        mode = chance.choice(("Strict", "Warn", "Ignore"))
        data = damage(chance, body)
        if method != "DELETE":
            path = f"{path}{sep}dryRun=All&fieldValidation={mode}"
        async with asyncio.timeout(GUARD_S):
            answer = await site.send(method, path, data, content_type=content_type)
        if answer.code >= 500 and UPSTREAMS_500 not in answer.body["message"]:
            failed.append((method, path, data, answer.body["message"]))
    assert not failed, failed
    await site.others_are_served()
