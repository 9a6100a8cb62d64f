"""Webhooks that are slow, close, redirect, answer too much or nonsense: the write ends in time and says why."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from pathlib import Path

import pytest
from aiohttp import web
from tests.unit.apiserver_webhooks.authority import Authority
from tests.unit.apiserver_webhooks.hooks import (
    MUTATING,
    VALIDATING,
    Handle,
    StartHook,
    allow,
    patched,
    register,
)

from mamekube.client.client import Client
from mamekube.foundation.limits import BODY_BYTES_MAX
from mamekube.objects.meta import Object
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError

CONFIG_MAPS = Resource(group="", version="v1", plural="configmaps", kind="ConfigMap")
CALL = 'Internal error occurred: failed calling webhook "hooks.example.com": '


async def create(client: Client, name: str = "one") -> Object:
    return await client.create(CONFIG_MAPS, {"metadata": {"name": name, "namespace": "default"}})


async def refusal(client: Client) -> StatusError:
    with pytest.raises(StatusError) as refused:
        await create(client)
    return refused.value


async def slow(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    raise AssertionError("the caller went away")


async def close(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def redirect(request: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": "https://127.0.0.1:1/elsewhere"})


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(BODY_BYTES_MAX // 65536 + 2):
        await response.write(b" " * 65536)
    return response


async def huge(request: web.Request) -> web.StreamResponse:
    return web.Response(body=b" " * (BODY_BYTES_MAX + 1))


async def broken(request: web.Request) -> web.StreamResponse:
    return web.Response(status=500, body=b"out of order\n")


async def nonsense(request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"<html>", content_type="text/html")


@pytest.mark.parametrize(
    ("handle", "why"),
    [
        (slow, "context deadline exceeded"),
        (close, "EOF"),
        (endless, f"the answer is larger than {BODY_BYTES_MAX} bytes"),
        (huge, f"the answer is larger than {BODY_BYTES_MAX} bytes"),
    ],
)
async def test_a_call_that_ends_badly_refuses_the_write(
    client: Client, start_hook: StartHook, handle: Handle, why: str
) -> None:
    hook = await start_hook()
    hook.handle = handle
    await register(client, VALIDATING, hook, timeoutSeconds=1)
    refused = await refusal(client)
    assert (refused.code, refused.reason) == (500, "InternalError")
    url = f"https://127.0.0.1:{hook.port}/hook?timeout=1s"
    assert refused.message == f'{CALL}failed to call webhook: Post "{url}": {why}'


def frozen(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Take one call over TLS and stand still; return when its connection has ended, raise if it does not."""
    accepted, _ = listener.accept()
    with context.wrap_socket(accepted, server_side=True) as secured:
        secured.recv(65536)
        with (
            socket.socket(fileno=os.dup(secured.fileno())) as bare,
            contextlib.suppress(ConnectionResetError),
        ):
            bare.settimeout(10)
            while bare.recv(65536):
                pass


async def test_a_call_that_times_out_keeps_no_connection(client: Client, start_hook: StartHook) -> None:
    """Not even to a webhook that does not answer the end of TLS."""
    hook = await start_hook()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        hook.port = listener.getsockname()[1]
        ended = asyncio.create_task(
            asyncio.to_thread(frozen, listener, hook.authority.server_context("127.0.0.1"))
        )
        await register(client, VALIDATING, hook, timeoutSeconds=1)
        assert "context deadline exceeded" in (await refusal(client)).message
        await ended


@pytest.mark.parametrize(
    ("handle", "why"),
    [
        (redirect, "the server responded with the status code 302 but did not return more information"),
        (broken, 'an error on the server ("out of order") has prevented the request from succeeding'),
    ],
)
async def test_an_answer_that_is_an_error_refuses_the_write(
    client: Client, start_hook: StartHook, handle: Handle, why: str
) -> None:
    hook = await start_hook()
    hook.handle = handle
    await register(client, VALIDATING, hook)
    assert (await refusal(client)).message == f"{CALL}failed to call webhook: {why}"
    assert len(hook.paths) == 1


async def test_an_answer_that_is_no_json_refuses_the_write(client: Client, start_hook: StartHook) -> None:
    hook = await start_hook()
    hook.handle = nonsense
    await register(client, VALIDATING, hook)
    assert "couldn't get version/kind; json parse error" in (await refusal(client)).message


async def test_failure_policy_ignore_lets_the_write_pass(client: Client, start_hook: StartHook) -> None:
    hook = await start_hook()
    hook.handle = close
    for resource in (MUTATING, VALIDATING):
        await register(client, resource, hook, failurePolicy="Ignore")
    await create(client)
    assert len(hook.paths) == 2


async def test_validating_webhooks_are_called_all_at_once(client: Client, start_hook: StartHook) -> None:
    both = asyncio.Barrier(2)

    async def wait(request: web.Request) -> web.StreamResponse:
        await both.wait()
        return web.Response(status=500)

    for name in ("a", "b"):
        hook = await start_hook()
        hook.handle = wait
        await register(client, VALIDATING, hook, name=name, failurePolicy="Ignore")
    await create(client)


async def test_a_certificate_of_somebody_else_is_refused(
    client: Client, start_hook: StartHook, tmp_path: Path
) -> None:
    hook = await start_hook()
    config = {**hook.client_config, "caBundle": Authority(tmp_path, "other").bundle}
    await register(client, VALIDATING, hook, clientConfig=config)
    expected = "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    assert (await refusal(client)).message.endswith(expected)
    assert hook.paths == []


async def test_a_certificate_for_another_name_is_refused(client: Client, start_hook: StartHook) -> None:
    hook = await start_hook()
    config = {**hook.client_config, "url": f"https://localhost:{hook.port}/hook"}
    await register(client, VALIDATING, hook, clientConfig=config)
    assert "but wanted to match localhost" in (await refusal(client)).message


async def test_nobody_listening_is_said_as_it_is(client: Client, start_hook: StartHook) -> None:
    hook = await start_hook()
    await register(
        client, VALIDATING, hook, clientConfig={**hook.client_config, "url": "https://127.0.0.1:1/"}
    )
    assert (await refusal(client)).message.endswith("dial tcp 127.0.0.1:1: connect: connection refused")


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (lambda request: None, "webhook response was absent"),
        (lambda request: {"uid": "other", "allowed": True}, 'expected response.uid="UID", got "other"'),
        (lambda request: allow(request, patch="W10="), "validating webhook may not return response.patch"),
        (
            lambda request: allow(request, patchType="JSONPatch"),
            "validating webhook may not return response.patchType",
        ),
    ],
)
async def test_a_review_that_is_none_refuses_the_write(
    client: Client, start_hook: StartHook, response: object, why: str
) -> None:
    hook = await start_hook(response)
    await register(client, VALIDATING, hook)
    refused = await refusal(client)
    why = why.replace("UID", hook.requests[0]["uid"])
    assert refused.message == f"{CALL}received invalid webhook response: {why}"


@pytest.mark.parametrize(
    ("operation", "code", "why"),
    [
        ({"op": "remove", "path": "/data/missing"}, 500, "missing"),
        ({"op": "replace", "path": "/metadata/name", "value": "two"}, 400, "does not match"),
        ({"op": "add", "path": "/data", "value": 7}, 400, "data"),
    ],
)
async def test_a_patch_that_cannot_be_applied_refuses_the_write(
    client: Client, start_hook: StartHook, operation: Object, code: int, why: str
) -> None:
    await register(client, MUTATING, await start_hook(lambda request: patched(request, operation)))
    refused = await refusal(client)
    assert refused.code == code and why in refused.message


async def test_an_object_that_goes_cannot_be_changed(client: Client, start_hook: StartHook) -> None:
    def decide(request: Object) -> Object:
        if request["operation"] == "DELETE":
            return patched(request, {"op": "add", "path": "/a", "value": 1})
        return allow(request)

    await register(client, MUTATING, await start_hook(decide))
    await create(client)
    with pytest.raises(StatusError, match="which is not supported for this operation"):
        await client.delete(CONFIG_MAPS, "one", namespace="default")
