"""What a client sees of webhooks: warnings, dry runs, connections that are refused, audit annotations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from tests.unit.apiserver_webhooks.hooks import (
    MUTATING,
    VALIDATING,
    StartHook,
    add_label,
    allow,
    deny,
    patched,
    register,
)

from mamekube.apiserver import builtin
from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.client.client import Client
from mamekube.foundation import sidetrack
from mamekube.foundation.clock import Clock
from mamekube.foundation.limits import HEAVY_BYTES
from mamekube.objects.meta import Object
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
POLICY = (
    "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n"
)
CONNECT_RULE = {"operations": ["CONNECT"], "apiGroups": ["*"], "apiVersions": ["*"]}


@dataclass
class Served:
    api: ApiServer
    session: aiohttp.ClientSession
    audit_file: Path

    @property
    def client(self) -> Client:
        return self.api.client("admin", ("system:masters",))

    async def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any, Any]:
        url = f"http://127.0.0.1:{self.api.port}{path}"
        headers = {"Authorization": "Bearer admin"}
        async with self.session.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None), answer.headers


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    tokens, policy, audit_file = (tmp_path / name for name in ("tokens.csv", "policy.yaml", "audit.log"))
    tokens.write_text('admin,admin,1,"system:masters"\n')
    policy.write_text(POLICY)
    config = ApiServerConfig(
        port=0, token_file=str(tokens), audit_policy_file=str(policy), audit_log_file=str(audit_file)
    )
    api = ApiServer(config, Store(MemoryBackend()), Clock())
    async with api.api.store, aiohttp.ClientSession() as session, api:
        await api.ready()
        yield Served(api, session, audit_file)


def config_map(name: str) -> Object:
    return {"metadata": {"name": name, "namespace": "default"}}


async def test_warnings_of_webhooks_reach_the_client(served: Served, start_hook: StartHook) -> None:
    hook = await start_hook(lambda request: allow(request, warnings=["old field", 'say "please"']))
    await register(served.client, VALIDATING, hook)
    _, _, headers = await served.send("POST", CONFIG_MAPS, config_map("a"))
    assert headers.getall("Warning") == ['299 - "old field"', '299 - "say \\"please\\""']


async def test_a_dry_run_calls_only_webhooks_that_promise_no_side_effects(
    served: Served, start_hook: StartHook
) -> None:
    hook = await start_hook(add_label("seen"))
    await register(served.client, MUTATING, hook, sideEffects="NoneOnDryRun")
    code, made, _ = await served.send("POST", f"{CONFIG_MAPS}?dryRun=All", config_map("a"))
    assert (code, made["metadata"]["labels"]) == (201, {"seen": "yes"})
    (request,) = hook.requests
    assert request["dryRun"] is True and request["options"]["dryRun"] == ["All"]
    assert (await served.send("GET", f"{CONFIG_MAPS}/a"))[0] == 404


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("pods/p/exec?container=main&stdin=true&command=sh&command=-c", "PodExecOptions"),
        ("pods/p/attach?container=main&stdin=true", "PodAttachOptions"),
        ("pods/p/portforward?ports=80", "PodPortForwardOptions"),
        ("services/s/proxy/metrics", "ServiceProxyOptions"),
    ],
)
async def test_connections_can_be_refused(
    served: Served, start_hook: StartHook, path: str, kind: str
) -> None:
    resource, _, rest = path.partition("/")
    subresource = rest.split("/")[1].partition("?")[0]
    hook = await start_hook(lambda request: deny(request, message="no way in"))
    rules = [{**CONNECT_RULE, "resources": [f"{resource}/{subresource}"]}]
    await register(served.client, VALIDATING, hook, rules=rules)
    code, status, _ = await served.send("GET", f"/api/v1/namespaces/default/{path}")
    assert code == 400
    assert status["message"] == 'admission webhook "hooks.example.com" denied the request: no way in'
    (request,) = hook.requests
    assert (request["operation"], request["kind"]["kind"], request["subResource"]) == (
        "CONNECT",
        kind,
        subresource,
    )
    assert request["object"]["kind"] == kind


async def test_connect_options_are_the_query_of_the_request(served: Served, start_hook: StartHook) -> None:
    hook = await start_hook(deny)
    await register(served.client, VALIDATING, hook, rules=[{**CONNECT_RULE, "resources": ["pods/exec"]}])
    query = "container=main&stdin=true&command=sh&command=-c"
    await served.send("GET", f"/api/v1/namespaces/default/pods/p/exec?{query}")
    assert hook.requests[0]["object"] == {
        "kind": "PodExecOptions",
        "apiVersion": "v1",
        "stdin": True,
        "container": "main",
        "command": ["sh", "-c"],
    }


async def test_an_eviction_is_shown_as_one(served: Served, start_hook: StartHook) -> None:
    hook = await start_hook(deny)
    rule = {
        "operations": ["CREATE"],
        "apiGroups": ["*"],
        "apiVersions": ["*"],
        "resources": ["pods/eviction"],
    }
    await register(served.client, VALIDATING, hook, rules=[rule])
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p", "namespace": "default"}}
    await served.send("POST", "/api/v1/namespaces/default/pods/p/eviction", body)
    (request,) = hook.requests
    assert request["kind"] == {"group": "policy", "version": "v1", "kind": "Eviction"}
    assert (request["resource"]["resource"], request["subResource"]) == ("pods", "eviction")


async def test_a_namespace_is_in_the_namespace_of_its_name(served: Served, start_hook: StartHook) -> None:
    hook = await start_hook()
    rule = {
        "operations": ["CREATE"],
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["namespaces"],
        "scope": "Cluster",
    }
    selector = {"matchLabels": {"kubernetes.io/metadata.name": "team"}}
    await register(served.client, VALIDATING, hook, rules=[rule], namespaceSelector=selector)
    await served.client.create(builtin.NAMESPACES, {"metadata": {"name": "team"}})
    await served.client.create(builtin.NAMESPACES, {"metadata": {"name": "other"}})
    assert [request["namespace"] for request in hook.requests] == ["team"]


async def test_audit_annotations_of_webhooks_are_noted(served: Served, start_hook: StartHook) -> None:
    hook = await start_hook(lambda request: allow(request, auditAnnotations={"why": "because"}))
    await register(served.client, VALIDATING, hook)
    await served.send("POST", CONFIG_MAPS, config_map("a"))
    await served.api.__aexit__(None, None, None)
    (event,) = [orjson.loads(line) for line in served.audit_file.read_bytes().splitlines()]
    assert event["annotations"]["hooks.example.com/why"] == "because"


async def test_refusals_and_failed_calls_are_counted(served: Served, start_hook: StartHook) -> None:
    def refuse(request: Object) -> Object:
        return deny(request, code=403)

    hook = await start_hook(refuse)
    await register(served.client, VALIDATING, hook, name="no")
    gone = {**hook.client_config, "url": "https://127.0.0.1:1/"}
    await register(served.client, MUTATING, hook, name="gone", failurePolicy="Ignore", clientConfig=gone)
    await served.send("POST", CONFIG_MAPS, config_map("a"))
    headers = {"Authorization": "Bearer admin"}
    async with served.session.get(f"http://127.0.0.1:{served.api.port}/metrics", headers=headers) as answer:
        metrics = await answer.text()
    labels = 'error_type="no_error",name="no.example.com",operation="CREATE",rejection_code="403",type="validating"'
    assert f"apiserver_admission_webhook_rejection_count{{{labels}}} 1" in metrics
    assert 'apiserver_admission_webhook_fail_open_count{name="gone.example.com",type="admit"} 1' in metrics


@pytest.mark.parametrize(("query", "wanted"), [("", "30s"), ("?timeout=20s", "20s"), ("?timeout=50s", "30s")])
async def test_a_webhook_is_given_no_more_time_than_the_client_waits(
    served: Served, start_hook: StartHook, query: str, wanted: str
) -> None:
    hook = await start_hook()
    await register(served.client, VALIDATING, hook, timeoutSeconds=30)
    assert (await served.send("POST", CONFIG_MAPS + query, config_map("a")))[0] == 201
    assert hook.paths == [f"/hook?timeout={wanted}"]


async def test_a_client_that_waits_no_longer_is_not_served_by_the_webhooks_after(
    served: Served, start_hook: StartHook
) -> None:
    slow, later = await start_hook(), await start_hook()
    asked = asyncio.Event()

    async def answer_never(request: web.Request) -> web.StreamResponse:
        asked.set()
        return await asyncio.get_running_loop().create_future()

    slow.handle = answer_never
    await register(served.client, MUTATING, slow, name="a.example.com", failurePolicy="Ignore")
    await register(served.client, MUTATING, later, name="b.example.com", failurePolicy="Ignore")
    code, body, _ = await served.send("POST", CONFIG_MAPS + "?timeout=100ms", config_map("a"))
    assert (code, body["reason"]) == (504, "Timeout")
    assert asked.is_set() and later.paths == []


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ({"op": "remove", "path": "/metadata/managedFields/0/apiVersion"}, "apiVersion must not be empty"),
        ({"op": "remove", "path": "/metadata/managedFields/0/fieldsType"}, "missing fieldsType in managed"),
        ({"op": "replace", "path": "/metadata/managedFields/0/operation", "value": "X"}, "operation must be"),
    ],
)
async def test_managed_fields_that_a_webhook_breaks_are_what_they_were(
    served: Served, start_hook: StartHook, broken: Object, problem: str
) -> None:
    hook = await start_hook(lambda request: patched(request, broken))
    await register(served.client, MUTATING, hook)
    sent = {**config_map("a"), "data": {"k": "v"}}
    for method, path in (("POST", CONFIG_MAPS), ("PUT", f"{CONFIG_MAPS}/a")):
        _, made, headers = await served.send(method, path, sent)
        (warning,) = headers.getall("Warning")
        assert ".metadata.managedFields was in an invalid state after admission" in warning
        assert problem in warning
        (entry,) = made["metadata"]["managedFields"]
        assert (entry["apiVersion"], entry["fieldsType"], entry["operation"]) == ("v1", "FieldsV1", "Update")
        assert "f:data" in entry["fieldsV1"]


async def test_what_a_webhook_makes_of_a_large_object_is_worked_out_beside_the_loop(
    served: Served, start_hook: StartHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside: list[int] = []
    run = sidetrack.run

    async def noted(compute: Any, *, size_bytes: int) -> Any:
        if size_bytes:
            beside.append(size_bytes)
        return await run(compute, size_bytes=size_bytes)

    value = "x" * 2 * HEAVY_BYTES
    hook = await start_hook(
        lambda request: patched(request, {"op": "add", "path": "/data", "value": {"k": value}})
    )
    await register(served.client, MUTATING, hook)
    monkeypatch.setattr(sidetrack, "run", noted)
    code, made, _ = await served.send("POST", CONFIG_MAPS, config_map("a"))
    assert (code, made["data"]["k"]) == (201, value)
    assert len(beside) >= 4, "the answer, the patch, what it makes, and what is judged"
