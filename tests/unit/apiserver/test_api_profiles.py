"""`/debug/pprof/`: only for administrators, one at a time, and never for long."""

import asyncio
import threading

import pytest

from mamekube.apiserver.profiles import Profiles
from mamekube.apiserver.request import Request, parse_request

PROFILE = "/debug/pprof/profile"


async def test_the_index_names_the_profiles(web):
    answer = await web.send("GET", "/debug/pprof/")
    assert answer.code == 200
    assert "/debug/pprof/profile?debug=1" in answer.body


async def test_what_is_no_profile_of_ours_is_unknown(web):
    for name in ("trace", "symbol", "nothing"):
        answer = await web.send("GET", f"/debug/pprof/{name}")
        assert (answer.code, answer.body) == (404, "Unknown profile\n")
    assert (await web.send("GET", "/debug/pprofile")).body == "404 page not found\n"
    assert (await web.send("GET", "/logs/")).code == 404


@pytest.mark.parametrize("path", ["", "profile?seconds=1", "goroutine", "heap", "cmdline"])
async def test_nobody_else_may_ask(web, path):
    answer = await web.send("GET", f"/debug/pprof/{path}", headers={"Authorization": "Bearer nobody-token"})
    assert answer.code == 403


@pytest.mark.parametrize("page", ["profile", "heap"])
@pytest.mark.parametrize("seconds", ["61", "0", "-1", "long", "nan", "inf"])
async def test_no_profile_takes_longer_than_a_minute(web, page, seconds):
    answer = await web.send("GET", f"/debug/pprof/{page}?seconds={seconds}")
    assert (answer.code, answer.body) == (400, "seconds must be above 0, and 60 at most\n")


async def test_a_profile_is_a_file_for_programs_and_a_table_for_people(web):
    headers = {"Authorization": "Bearer admin-token"}
    async with web.session.get(f"{web.url}{PROFILE}?seconds=0.05", headers=headers) as answer:
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="profile"'
        assert (await answer.read())[:2] == b"\x1f\x8b"
    table = (await web.send("GET", f"{PROFILE}?seconds=0.05&debug=1")).body
    assert table.startswith("cpu: ")
    heap = (await web.send("GET", "/debug/pprof/heap?seconds=0.01&format=text")).body
    assert heap.startswith("inuse_space: ")


def ask(page: str, query: str) -> Request:
    return parse_request("GET", f"/debug/pprof/{page}?{query}", headers={})


async def test_one_profile_at_a_time():
    profiles = Profiles()
    first = asyncio.create_task(profiles.serve(ask("profile", "seconds=60")))
    await asyncio.sleep(0)
    for page in ("profile", "heap"):
        refused = await profiles.serve(ask(page, "seconds=1"))
        assert refused.code == 409
        assert refused.body == b"Could not enable CPU profiling: cpu profiling already in use\n"
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert "profiler" not in {thread.name for thread in threading.enumerate()}
    again = await profiles.serve(ask("profile", "seconds=0.01"))
    assert again is not None
    assert again.code == 200


async def test_the_tasks_of_the_server_are_told(web):
    text = (await web.send("GET", "/debug/pprof/goroutine?debug=1")).body
    assert text.startswith("goroutine profile: total ")
    assert "mamekube.store.store" in text
    assert (await web.send("GET", "/debug/pprof/nothing")).code == 404
