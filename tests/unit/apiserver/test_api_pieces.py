"""Long answers that are put together while they are sent."""

import asyncio

import orjson
import pytest
from tests.unit.apiserver.samples import CONFIGMAPS, config_map

from mamekube.apiserver import request
from mamekube.apiserver.documents import ITEMS_IN_TURN, PIECE_ITEMS, Collection, Made, Pieces, in_turns
from mamekube.apiserver.formats import negotiation, tables
from mamekube.apiserver.listing import list_items
from mamekube.apiserver.options import ListOptions
from mamekube.apiserver.writes import key_for
from mamekube.kinds.registry import builtin_registry
from mamekube.objects.selectors import parse_fields
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store

NOW_S = 1_770_000_000.0
PATH = "/api/v1/namespaces/default/configmaps"
COUNT = 2 * PIECE_ITEMS + 1
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"


@pytest.mark.parametrize("count", [0, 1, PIECE_ITEMS, PIECE_ITEMS + 1, COUNT])
def test_the_pieces_are_the_list_and_as_long_as_they_say(count):
    pieces = Pieces(b'{"items":[', [str(number).encode() for number in range(count)], b"]}\n")
    body = b"".join(pieces)
    assert orjson.loads(body) == {"items": list(range(count))}
    assert len(body) == len(pieces)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize(
    ("accept", "field"), [("application/json", "items"), (TABLE, "rows"), (PARTIAL, "items")]
)
async def test_a_list_longer_than_a_piece_arrives_whole(web, accept, field, encoding):
    for number in range(COUNT):
        sent = config_map(f"c{number:03}")
        sent["data"] = {"long": "x" * 2_000}
        sent["metadata"]["annotations"] = {"long": "y" * 2_000}
        assert (await web.send("POST", PATH, sent)).code == 201
    answer = await web.send("GET", PATH, headers={"Accept": accept, "Accept-Encoding": encoding})
    objects = [entry.get("object", entry) for entry in answer.body[field]]
    assert [obj["metadata"]["name"] for obj in objects] == [f"c{number:03}" for number in range(COUNT)]
    assert answer.headers.get("Content-Encoding", "identity") == encoding


@pytest.mark.parametrize("include", ["Metadata", "Object", "None"])
async def test_the_table_of_a_list_is_that_of_its_objects_and_keeps_none_of_them_decoded(include):
    kind = builtin_registry().find("", "v1", "configmaps")
    async with Store(MemoryBackend()) as store:
        for number in range(3):
            obj = config_map(f"c{number}", text="x")
            obj["metadata"]["creationTimestamp"] = f"2026-01-02T03:04:0{number}Z"
            await store.create(key=key_for(CONFIGMAPS, namespace="default", name=f"c{number}"), obj=obj)
        listed = await list_items(store, kind, namespace="default", options=ListOptions())
        for now_s in (NOW_S, NOW_S + 3600):
            pieces = await tables.of_collection(listed, version="v1", include=include, now_s=now_s)
            assert not any(item.decoded for item in listed.items)
            objects = [item.transient() for item in listed.items]
            whole = tables.of_objects(
                kind, objects, listed.metadata, version="v1", include=include, now_s=now_s
            )
            assert orjson.loads(b"".join(pieces)) == whole


AGED = {"metadata": {"name": "a", "creationTimestamp": "2026-01-02T03:04:05Z"}}
RESTARTED = {
    **AGED,
    "status": {
        "containerStatuses": [
            {"restartCount": 2, "lastState": {"terminated": {"finishedAt": "2026-01-03T03:04:05Z"}}}
        ]
    },
}
STARTED = {**AGED, "status": {"startTime": "2026-01-03T03:04:05Z"}}


@pytest.mark.parametrize(
    ("kind", "obj"),
    [
        *((kind, AGED) for kind in builtin_registry().all() if kind.row),
        (builtin_registry().find("", "v1", "pods"), RESTARTED),
        (builtin_registry().find("batch", "v1", "jobs"), STARTED),
    ],
)
async def test_rows_are_the_same_whether_they_are_made_for_the_first_time_or_again(kind, obj):
    document = Made(obj)
    collection = Collection(kind, [document], 1)
    for now_s in (NOW_S, NOW_S + 3600):
        pieces = await tables.of_collection(collection, version="v1", include="None", now_s=now_s)
        assert orjson.loads(b"".join(pieces))["rows"][0]["cells"] == list(kind.row(obj, now_s))


@pytest.mark.parametrize("accept", ["application/json", TABLE])
@pytest.mark.parametrize("count", [0, 1, 3])
async def test_a_list_for_people_is_indented_as_a_whole(web, accept, count):
    for number in range(count):
        assert (await web.send("POST", PATH, config_map(f"c{number}", text="a\nb"))).code == 201
    headers = {"Authorization": "Bearer admin-token", "Accept": accept}
    async with web.session.get(f"{web.url}{PATH}?pretty=true", headers=headers) as answer:
        body = await answer.read()
    assert body == orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2)
    assert len(orjson.loads(body)["items" if accept != TABLE else "rows"]) == count


async def test_what_is_made_of_a_long_list_is_made_in_turns_with_everything_else():
    items = [Made({"metadata": {"name": f"n{number}"}}) for number in range(3 * ITEMS_IN_TURN)]
    seen = []

    async def look():
        for _ in range(3):
            seen.append(len(made))
            await asyncio.sleep(0)

    made = []
    looking = asyncio.ensure_future(look())
    values = await in_turns(lambda item: made.append(item.value) or item.value, items)
    await looking
    assert values == [item.value for item in items]
    assert seen == [ITEMS_IN_TURN, 2 * ITEMS_IN_TURN, 3 * ITEMS_IN_TURN]


async def test_a_page_of_what_is_selected_is_looked_for_in_turns_with_everything_else():
    """Clients ask in pages; a selector that few objects match goes through all of them for one."""
    async with Store(MemoryBackend()) as store:
        for number in range(3 * ITEMS_IN_TURN):
            obj = config_map(f"c{number:03}")
            await store.create(key=key_for(CONFIGMAPS, namespace="default", name=f"c{number:03}"), obj=obj)
        kind = builtin_registry().find("", "v1", "configmaps")
        options = ListOptions(fields=parse_fields("metadata.namespace!=default"), limit=500)
        listing = asyncio.ensure_future(list_items(store, kind, namespace="default", options=options))
        turns = 0
        while not listing.done():
            await asyncio.sleep(0)
            turns += 1
        assert (await listing).items == []
        assert turns > 3


def test_nothing_long_that_anybody_may_send_is_remembered():
    kept = (request._parse_plain_path, negotiation.forms)
    before = [each.cache_info() for each in kept]
    long = "x" * 10_000
    assert request.parse_request("GET", f"/api/v1/pods/{long}", headers={}).name == long
    assert negotiation.forms(f"application/json;a={long}")[0].media_type == "application/json"
    assert [each.cache_info() for each in kept] == before
