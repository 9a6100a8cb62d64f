"""Profiles: who used the processor, who waits where, and files that other programs read."""

import asyncio
import gzip
import re
import threading
import tracemalloc

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from mamekube.foundation import pprof, profiling
from mamekube.foundation.profiling import Frame, Profile

FIELDS = {
    "ValueType": [("type", 1, "int64"), ("unit", 2, "int64")],
    "Sample": [("location_id", 1, "uint64*"), ("value", 2, "int64*")],
    "Mapping": [("id", 1, "uint64"), ("has_functions", 7, "bool"), ("has_line_numbers", 9, "bool")],
    "Line": [("function_id", 1, "uint64"), ("line", 2, "int64")],
    "Location": [("id", 1, "uint64"), ("mapping_id", 2, "uint64"), ("line", 4, "Line*")],
    "Function": [
        ("id", 1, "uint64"),
        ("name", 2, "int64"),
        ("filename", 4, "int64"),
        ("start_line", 5, "int64"),
    ],
    "Profile": [
        ("sample_type", 1, "ValueType*"),
        ("sample", 2, "Sample*"),
        ("mapping", 3, "Mapping*"),
        ("location", 4, "Location*"),
        ("function", 5, "Function*"),
        ("string_table", 6, "string*"),
        ("time_nanos", 9, "int64"),
        ("duration_nanos", 10, "int64"),
        ("period_type", 11, "ValueType"),
        ("period", 12, "int64"),
    ],
}
"""perftools.profiles, as far as we write it: `*` is repeated."""


def reader():
    """The Profile message of an independent library."""
    scalar = {"int64": 3, "uint64": 4, "bool": 8, "string": 9}
    file = descriptor_pb2.FileDescriptorProto(name="p.proto", package="p", syntax="proto3")
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        for field, number, form in fields:
            kind = form.rstrip("*")
            added = message.field.add(name=field, number=number, label=3 if form.endswith("*") else 1)
            added.type = scalar.get(kind, 11)
            if kind not in scalar:
                added.type_name = f".p.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("p.Profile"))


def read(body: bytes):
    return reader().FromString(gzip.decompress(body))


OUTER = Frame("m.outer", "/m.py", 12, 10)
INNER = Frame("m.inner", "/m.py", 25, 20)
PROFILE = Profile(
    types=(("samples", "count"), ("cpu", "nanoseconds")),
    samples=[((INNER, OUTER), (3, 30_000_000)), ((OUTER,), (1, 10_000_000))],
    period=10_000_000,
    started_s=1.5,
    duration_s=2.0,
)


def test_a_file_says_the_same_to_another_reader():
    message = read(pprof.encode(PROFILE))
    texts = list(message.string_table)
    assert texts[0] == ""
    assert [(texts[one.type], texts[one.unit]) for one in message.sample_type] == list(PROFILE.types)
    functions = {one.id: (texts[one.name], texts[one.filename], one.start_line) for one in message.function}
    places = {one.id: (*functions[one.line[0].function_id], one.line[0].line) for one in message.location}
    assert [([places[number] for number in one.location_id], list(one.value)) for one in message.sample] == [
        ([("m.inner", "/m.py", 20, 25), ("m.outer", "/m.py", 10, 12)], [3, 30_000_000]),
        ([("m.outer", "/m.py", 10, 12)], [1, 10_000_000]),
    ]
    assert {one.mapping_id for one in message.location} == {message.mapping[0].id}
    assert (message.time_nanos, message.duration_nanos, message.period) == (
        1_500_000_000,
        2_000_000_000,
        10_000_000,
    )
    assert texts[message.period_type.unit] == "nanoseconds"


def test_a_table_names_functions_by_what_they_took():
    lines = pprof.table(PROFILE).splitlines()
    assert lines[0] == "cpu: 40ms, 2 stacks, 2 s"
    assert [line.split() for line in lines[3:]] == [
        ["30ms", "75.0%", "30ms", "75.0%", "m.inner", "(/m.py:20)"],
        ["10ms", "25.0%", "40ms", "100.0%", "m.outer", "(/m.py:10)"],
    ]


def busy(ended: threading.Event) -> None:
    while not ended.is_set():
        sum(range(1000))


def idle(ended: threading.Event) -> None:
    ended.wait()


def test_processor_time_is_put_down_to_who_used_it():
    ended = threading.Event()
    threads = [threading.Thread(target=work, args=(ended,)) for work in (busy, idle)]
    for thread in threads:
        thread.start()
    sampler = profiling.Sampler()
    with sampler:
        # Until the busy one was seen, however slow the machine is.
        while not any("busy" in str(key) for key in list(sampler._samples)):
            ended.wait(0.001)
    ended.set()
    for thread in threads:
        thread.join()
    profile = sampler.profile(started_s=0.0, duration_s=1.0)
    functions = {
        frame.function.rpartition(".")[2]: values for stack, values in profile.samples for frame in stack
    }
    assert functions["busy"][1] > 0
    assert "idle" not in functions


async def waits_for_ever() -> None:
    await asyncio.get_running_loop().create_future()


async def test_tasks_and_threads_are_found_where_they_are():
    tasks = [asyncio.create_task(waits_for_ever(), name=name) for name in ("one", "two")]
    await asyncio.sleep(0)
    running = profiling.everything_running()
    text = pprof.running_text(running)
    assert "task one [waiting]:\n" in text
    assert "waits_for_ever(...)" in text
    assert "thread MainThread [running]:\n" in text
    counted = profiling.counted(running)
    (two,) = [values for stack, values in counted.samples if "waits_for_ever" in str(stack)]
    assert two == (2,)
    text = pprof.counted_text(counted)
    assert text.startswith(f"goroutine profile: total {len(running)}\n")
    counts = [int(count) for count in re.findall(r"^(\d+) @\n#\t", text, re.MULTILINE)]
    assert 2 in counts and counts == sorted(counts, reverse=True)
    for task in tasks:
        task.cancel()


def test_what_stays_allocated_is_told_by_where_it_was_made():
    tracemalloc.start(profiling.ALLOCATION_DEPTH)
    before = tracemalloc.take_snapshot()
    kept = bytearray(1_000_000)
    after = tracemalloc.take_snapshot()
    tracemalloc.stop()
    samples = profiling.allocations(before, after).samples
    largest = max(samples, key=lambda sample: sample[1][1])
    assert largest[1][1] >= len(kept)
    assert largest[0][0].file == __file__
