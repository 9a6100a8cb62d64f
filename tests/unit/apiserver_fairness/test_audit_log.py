"""The lines of the audit log, as a server over HTTP writes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from mamekube.apiserver.auditing import audit
from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.foundation.clock import Clock
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store

POLICY = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitManagedFields: true
rules:
- {level: None, nonResourceURLs: ["/readyz*"]}
- {level: RequestResponse, omitStages: [RequestReceived], resources: [{resources: [configmaps]}]}
- {level: Metadata, resources: [{resources: [secrets]}]}
- {level: Metadata, omitStages: [RequestReceived], verbs: [create], resources: [{resources: [pods]}, {group: apps}]}
- {level: Metadata, users: [alice], omitStages: [RequestReceived]}
"""
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
SECRETS = "/api/v1/namespaces/default/secrets"


@dataclass
class Audited:
    url: str
    session: aiohttp.ClientSession
    file: Path
    api: ApiServer

    async def send(
        self, method: str, path: str, body: Any = None, *, token: str = "admin", **headers: str
    ) -> int:
        sent = {"Authorization": f"Bearer {token}", **headers}
        async with self.session.request(method, self.url + path, json=body, headers=sent) as answer:
            await answer.read()
            return answer.status


@pytest.fixture
async def audited(tmp_path: Path) -> AsyncIterator[Audited]:
    tokens, policy, file = (tmp_path / name for name in ("tokens.csv", "policy.yaml", "audit.log"))
    tokens.write_text('admin,admin,1,"system:masters"\nuser,alice,2\n')
    policy.write_text(POLICY)
    config = ApiServerConfig(
        port=0, token_file=str(tokens), audit_policy_file=str(policy), audit_log_file=str(file)
    )
    api = ApiServer(config, Store(MemoryBackend()), Clock())
    async with api.api.store, api, aiohttp.ClientSession() as session:
        await api.ready()
        yield Audited(f"http://127.0.0.1:{api.port}", session, file, api)


async def lines(audited: Audited, count: int) -> list[dict[str, Any]]:
    """The lines, as soon as there are so many."""
    async with asyncio.timeout(5):
        while len(found := audited.file.read_bytes().splitlines()) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.001)  # a thread writes the file
    assert len(found) == count
    return [orjson.loads(line) for line in found]


async def test_a_write_is_noted_with_what_was_sent_and_answered(audited: Audited) -> None:
    body = {"metadata": {"name": "a"}, "data": {"k": "v"}}
    await audited.send("POST", CONFIG_MAPS, body, **{"User-Agent": "tester", "Audit-ID": "my-id"})
    (event,) = await lines(audited, 1)
    assert (event["kind"], event["apiVersion"]) == ("Event", "audit.k8s.io/v1")
    assert (event["level"], event["stage"], event["auditID"]) == (
        "RequestResponse",
        "ResponseComplete",
        "my-id",
    )
    assert (event["verb"], event["requestURI"], event["userAgent"]) == ("create", CONFIG_MAPS, "tester")
    assert event["user"]["username"] == "admin" and event["sourceIPs"] == ["127.0.0.1"]
    assert event["objectRef"] == {
        "resource": "configmaps",
        "namespace": "default",
        "name": "a",
        "apiVersion": "v1",
    }
    assert event["requestObject"] == body
    assert event["responseStatus"]["code"] == 201
    assert event["responseObject"]["metadata"]["uid"]
    assert "managedFields" not in event["responseObject"]["metadata"]
    assert event["annotations"]["authorization.k8s.io/decision"] == "allow"
    assert event["requestReceivedTimestamp"] <= event["stageTimestamp"]


async def test_metadata_holds_no_secrets_and_both_stages_have_one_identity(audited: Audited) -> None:
    await audited.send("POST", SECRETS, {"metadata": {"name": "s"}, "stringData": {"k": "hidden"}})
    received, complete = await lines(audited, 2)
    assert (received["stage"], complete["stage"]) == ("RequestReceived", "ResponseComplete")
    assert received["auditID"] == complete["auditID"]
    assert complete["objectRef"]["name"] == "s"
    assert b"hidden" not in audited.file.read_bytes()


async def test_a_refusal_is_noted_with_its_status(audited: Audited) -> None:
    assert await audited.send("GET", "/api/v1/nodes", token="user") == 403
    (event,) = await lines(audited, 1)
    assert event["annotations"]["authorization.k8s.io/decision"] == "forbid"
    assert (event["responseStatus"]["code"], event["responseStatus"]["reason"]) == (403, "Forbidden")


async def test_whom_a_request_acts_as_is_noted_beside_who_sent_it(audited: Audited) -> None:
    await audited.send("GET", f"{CONFIG_MAPS}/none", **{"Impersonate-User": "bob"})
    (event,) = await lines(audited, 1)
    assert (event["user"]["username"], event["impersonatedUser"]["username"]) == ("admin", "bob")


async def test_what_no_rule_wants_is_not_noted(audited: Audited) -> None:
    await audited.send("GET", "/readyz")
    await audited.send("GET", "/api/v1/nodes")
    await audited.send("GET", f"{CONFIG_MAPS}/none")
    (event,) = await lines(audited, 1)
    assert event["responseStatus"]["code"] == 404


async def test_a_watch_is_noted_when_it_begins_and_when_it_ends(audited: Audited) -> None:
    await audited.send("GET", f"{CONFIG_MAPS}?watch=true&timeoutSeconds=1")
    started, complete = await lines(audited, 2)
    assert (started["stage"], complete["stage"]) == ("ResponseStarted", "ResponseComplete")
    assert started["verb"] == "watch" and complete["responseStatus"]["code"] == 200


SECURED = "/api/v1/namespaces/secured/pods"
HOSTILE = {"hostNetwork": True, "containers": [{"name": "c", "image": "i"}]}
VIOLATION = 'would violate PodSecurity "baseline:v1.30": host namespaces (hostNetwork=true)'


async def secure(audited: Audited, **levels: str) -> None:
    labels = {f"pod-security.kubernetes.io/{mode.replace('_', '-')}": level for mode, level in levels.items()}
    await audited.send("POST", "/api/v1/namespaces", {"metadata": {"name": "secured", "labels": labels}})
    account = {"metadata": {"name": "default"}}
    await audited.send("POST", "/api/v1/namespaces/secured/serviceaccounts", account)


def pod_security(event: dict[str, Any]) -> dict[str, str]:
    """What PodSecurity noted."""
    prefix = "pod-security.kubernetes.io/"
    noted = event["annotations"].items()
    return {key.removeprefix(prefix): value for key, value in noted if key.startswith(prefix)}


async def test_what_a_pod_violates_is_noted_where_the_namespace_wants_it(audited: Audited) -> None:
    await secure(audited, audit="baseline", audit_version="v1.30")
    assert await audited.send("POST", SECURED, {"metadata": {"name": "p"}, "spec": HOSTILE}) == 201
    (event,) = await lines(audited, 1)
    assert pod_security(event) == {"audit-violations": VIOLATION, "enforce-policy": "privileged:latest"}


async def test_what_refused_a_pod_is_noted(audited: Audited) -> None:
    await secure(audited, enforce="baseline", audit="baseline", audit_version="v1.30")
    assert await audited.send("POST", SECURED, {"metadata": {"name": "p"}, "spec": HOSTILE}) == 403
    (event,) = await lines(audited, 1)
    assert pod_security(event) == {"audit-violations": VIOLATION, "enforce-policy": "baseline:latest"}


async def test_a_template_is_noted_without_a_policy_that_is_enforced(audited: Audited) -> None:
    await secure(audited, enforce="restricted", audit="baseline", audit_version="v1.30")
    labels = {"app": "d"}
    template = {"metadata": {"labels": labels}, "spec": HOSTILE}
    deployment = {
        "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }
    path = "/apis/apps/v1/namespaces/secured/deployments"
    assert await audited.send("POST", path, deployment) == 201
    (event,) = await lines(audited, 1)
    assert pod_security(event) == {"audit-violations": VIOLATION}


async def test_a_pod_where_nothing_is_asked_for_is_noted_as_privileged(audited: Audited) -> None:
    await secure(audited)
    await audited.send("POST", SECURED, {"metadata": {"name": "p"}, "spec": HOSTILE})
    (event,) = await lines(audited, 1)
    assert pod_security(event) == {"enforce-policy": "privileged:latest"}


async def test_a_request_that_cannot_be_written_does_not_end_the_log(
    audited: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"metadata": {"name": "a"}}
    whole = audit.event_of

    def event_of(line: audit.Line) -> dict[str, Any]:
        event = whole(line)
        return {**event, "broken": 1 << 70} if event["objectRef"].get("name") == "bad" else event

    monkeypatch.setattr(audit, "event_of", event_of)
    assert await audited.send("POST", CONFIG_MAPS, {"metadata": {"name": "bad"}}) == 201
    assert await audited.send("POST", CONFIG_MAPS, body) == 201
    (noted,) = await lines(audited, 1)
    assert noted["objectRef"]["name"] == "a"


async def test_a_number_of_many_digits_is_one_in_yaml_as_it_is_in_json(audited: Audited) -> None:
    head = "apiVersion: apps/v1\nkind: ControllerRevision\nmetadata: {name: y}\nrevision: 1\n"
    text = f"{head}data: {{a: 1{'0' * 30}}}"
    path = audited.url + "/apis/apps/v1/namespaces/default/controllerrevisions"
    headers = {"Authorization": "Bearer admin", "Content-Type": "application/yaml"}
    async with audited.session.post(path, data=text, headers=headers) as answer:
        assert (answer.status, (await answer.json())["data"]) == (201, {"a": 1e30})


async def test_a_long_user_agent_is_cut_and_a_request_is_received_when_it_was(audited: Audited) -> None:
    await audited.send("GET", SECRETS, **{"User-Agent": "a" * 1025})
    received, complete = await lines(audited, 2)
    assert received["userAgent"] == complete["userAgent"] == "a" * 1024 + "...TRUNCATED"
    assert received["stageTimestamp"] == received["requestReceivedTimestamp"]
