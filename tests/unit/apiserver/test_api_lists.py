"""LIST: selectors, pages as of one moment, resourceVersion rules."""

import pytest
from tests.unit.apiserver.samples import CONFIGMAPS, DEPLOYMENTS, PODS, add_service_account, config_map, pod

from mamekube.apiserver.listing import Position, decode_token, encode_token
from mamekube.objects.status import StatusError


async def refused(awaitable) -> StatusError:
    with pytest.raises(StatusError) as caught:
        await awaitable
    return caught.value


def names(listing):
    return [item["metadata"]["name"] for item in listing.items]


async def fill(client, *wanted):
    for name in wanted:
        obj = config_map(name)
        obj["metadata"]["labels"] = {"parity": "even" if int(name[1:]) % 2 == 0 else "odd"}
        await client.create(CONFIGMAPS, obj)


async def test_pages_together_are_one_list_of_one_moment(client):
    await fill(client, "c0", "c1", "c2", "c3", "c4")
    first = await client.list(CONFIGMAPS, namespace="default", limit=2)
    await client.delete(CONFIGMAPS, "c4", namespace="default")
    await fill(client, "c9")
    second = await client.list(CONFIGMAPS, namespace="default", limit=2, continue_token=first.continue_token)
    third = await client.list(CONFIGMAPS, namespace="default", limit=2, continue_token=second.continue_token)
    assert names(first) + names(second) + names(third) == ["c0", "c1", "c2", "c3", "c4"]
    assert first.revision == second.revision == third.revision
    assert third.continue_token == ""


async def test_a_page_of_selected_items_is_full(client):
    await fill(client, *(f"c{number}" for number in range(8)))
    first = await client.list(CONFIGMAPS, namespace="default", limit=3, label_selector="parity=even")
    assert names(first) == ["c0", "c2", "c4"]
    rest = await client.list(
        CONFIGMAPS,
        namespace="default",
        limit=3,
        label_selector="parity=even",
        continue_token=first.continue_token,
    )
    assert (names(rest), rest.continue_token) == (["c6"], "")


async def test_a_token_whose_history_is_gone_offers_another(server, client):
    await fill(client, "c0", "c1", "c2")
    first = await client.list(CONFIGMAPS, namespace="default", limit=1)
    await fill(client, "c3", "c4")
    await server.api.store.compact(revision=server.api.store.revision)
    error = await refused(
        client.list(CONFIGMAPS, namespace="default", limit=1, continue_token=first.continue_token)
    )
    assert (error.code, error.reason) == (410, "Expired")
    token = error.status["metadata"]["continue"]
    rest = await client.list(CONFIGMAPS, namespace="default", continue_token=token)
    assert names(rest) == ["c1", "c2", "c3", "c4"]


@pytest.mark.parametrize("token", ["garbage!", "e30", encode_token(Position(1, "../../secrets"))])
def test_a_forged_token_is_refused(token):
    with pytest.raises(StatusError) as caught:
        decode_token(token)
    assert caught.value.code == 400
    assert caught.value.message.startswith("continue key is not valid: ")


async def test_field_selectors(client):
    await add_service_account(client)
    await client.create(PODS, pod("a", nodeName="n1"))
    await client.create(PODS, pod("b"))
    assert names(await client.list(PODS, field_selector="spec.nodeName=n1")) == ["a"]
    assert names(await client.list(PODS, field_selector="spec.nodeName=")) == ["b"]
    assert names(await client.list(PODS, field_selector="metadata.name!=a")) == ["b"]
    assert names(await client.list(PODS, namespace="default", field_selector="metadata.name=b")) == ["b"]
    error = await refused(client.list(PODS, field_selector="spec.color=red"))
    assert (error.code, error.message) == (400, "field label not supported: spec.color")
    error = await refused(client.list(CONFIGMAPS, field_selector="data.k=v"))
    assert error.message == (
        '"data.k" is not a known field selector: only "metadata.name", "metadata.namespace"'
    )


@pytest.mark.parametrize("selector", ["a in b", "=", "a,,b", "a==b=c", "!"])
async def test_a_label_selector_that_does_not_parse_is_refused(client, selector):
    error = await refused(client.list(PODS, label_selector=selector))
    assert (error.code, error.reason) == (400, "BadRequest")


async def test_a_revision_still_to_come_says_try_again(server, client):
    future = str(server.api.store.revision + 1000)
    error = await refused(client.list(CONFIGMAPS, revision=future))
    assert (error.code, error.reason) == (504, "Timeout")
    assert error.message.startswith(f"Too large resource version: {future}, current: ")
    assert error.details["retryAfterSeconds"] == 1
    assert error.details["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_a_resource_that_is_not_served_is_not_found(client):
    nothing = DEPLOYMENTS.__class__(group="apps", version="v9", plural="deployments", kind="Deployment")
    error = await refused(client.list(nothing))
    assert (error.code, error.message) == (404, "the server could not find the requested resource")
