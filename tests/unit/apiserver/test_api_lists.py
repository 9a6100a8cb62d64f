"""LIST: selectors, pages as of one moment, resourceVersion rules."""

import itertools
from urllib.parse import urlencode

import pytest
from tests.unit.apiserver.samples import CONFIGMAPS, DEPLOYMENTS, PODS, add_service_account, config_map, pod

from mamekube.apiserver.api import Payload
from mamekube.apiserver.listing import Position, decode_token, encode_token
from mamekube.apiserver.request import parse_request
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
    assert caught.value.message.startswith("invalid continue token: continue key is not valid: ")


NO_REVISION = "resourceVersionMatch is forbidden unless resourceVersion is provided"
WITH_TOKEN = "resourceVersionMatch is forbidden when continue is provided"
BOTH = "specifying resource version is not allowed when using continue"
NONSENSE = (
    'invalid resource version: resourceVersion: Invalid value: "nonsense": '
    'strconv.ParseUint: parsing "nonsense": invalid syntax'
)
FORGED = "invalid continue token: continue key is not valid"
GONE = "The resourceVersion for the provided list is too old."
MATCHES = ("", "NotOlderThan", "Exact", "None")


def expected(limit, token, revision, match):
    """How many items there are, or what the refusal says. Upstream: testListOptionsCase."""
    invalid = [
        (match and not revision, NO_REVISION),
        (match and token, WITH_TOKEN),
        (match == "None", "supported values"),
        (match == "Exact" and revision == "0", 'resourceVersionMatch "exact" is forbidden'),
        (token == "forged", FORGED),
        (token and revision not in ("", "0"), BOTH),
        (revision == "nonsense", NONSENSE),
        (revision == "compacted" and (match == "Exact" or (limit and not match)), GONE),
    ]
    for found, message in invalid:
        if found:
            return message
    if token:
        return 4
    return 10 if revision == "0" else limit or 10


@pytest.mark.parametrize("limit", [0, 6])
@pytest.mark.parametrize("token", ["", "valid", "forged"])
async def test_limits_tokens_and_revisions_go_together_as_upstream_says(server, client, limit, token):
    await fill(client, *(f"c{number}" for number in range(15)))
    compacted = (await client.get(CONFIGMAPS, "c0", namespace="default"))["metadata"]["resourceVersion"]
    for number in range(5):
        await client.delete(CONFIGMAPS, f"c{number}", namespace="default")
    await server.api.store.compact(revision=server.api.store.revision - 1)
    first = await client.list(CONFIGMAPS, namespace="default", limit=6)
    tokens = {"": "", "valid": first.continue_token, "forged": "forged"}
    revisions = {"": "", "0": "0", "compacted": compacted, "nonsense": "nonsense"}
    for revision, match in itertools.product(revisions, MATCHES):
        options = {"resourceVersion": revisions[revision], "resourceVersionMatch": match}
        options |= {"continue": tokens[token], "limit": str(limit or "")}
        query = urlencode({name: value for name, value in options.items() if value})
        target = f"/api/v1/namespaces/default/configmaps?{query}"
        request = parse_request("GET", target, headers={})
        wanted = expected(limit, token, revision, match)
        if isinstance(wanted, int):
            listed = await server.api.serve(request, Payload())
            assert len(listed.items) == wanted, target
        else:
            error = await refused(server.api.serve(request, Payload()))
            assert wanted in error.message, target


async def test_an_object_is_not_shown_as_it_was_before_the_revision_that_the_client_knows(web):
    path = "/api/v1/namespaces/default/configmaps"
    made = (await web.send("POST", path, {"metadata": {"name": "a"}})).body
    known = int(made["metadata"]["resourceVersion"])
    for revision in ("0", "1", str(known)):
        answer = await web.send("GET", f"{path}/a?resourceVersion={revision}")
        assert (answer.code, answer.body) == (200, made)
    answer = await web.send("GET", f"{path}/a?resourceVersion={known + 1000}")
    assert (answer.code, answer.body["details"]["causes"][0]["reason"]) == (504, "ResourceVersionTooLarge")
    assert (await web.send("GET", f"{path}/a?resourceVersion=nonsense")).code == 400


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
