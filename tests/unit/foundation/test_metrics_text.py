"""Histograms, and the text in which Prometheus reads numbers."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from mamekube.foundation import process
from mamekube.foundation.metrics import STABLE, Family, Histogram, exponential, render, text_of


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (12, "12"),
        (0.005, "0.005"),
        (5e-07, "5e-07"),
        (1.25, "1.25"),
        (999999, "999999"),
        (1e6, "1e+06"),
        (1234567, "1.234567e+06"),
        (1e9, "1e+09"),
        (-2.5, "-2.5"),
        (float("inf"), "+Inf"),
    ],
)
def test_numbers_are_written_as_go_writes_them(number, text):
    assert text_of(number) == text


@given(st.floats(allow_nan=False))
def test_a_number_reads_back_the_same(number):
    assert float(text_of(number)) == number


def test_a_family_is_written_with_its_labels_in_order():
    family = Family("a_total", "counter", 'Says "how" many.', labels=["z", "b"], stability=STABLE)
    family.add(['quoted "x"', "line\nend"], 3)
    assert render([family]).decode() == (
        '# HELP a_total [STABLE] Says "how" many.\n'
        "# TYPE a_total counter\n"
        'a_total{b="line\\nend",z="quoted \\"x\\""} 3\n'
    )


def test_families_stand_in_order_of_their_names_and_empty_ones_are_left_out():
    families = [
        Family("b", "gauge", "B.").add([], 1),
        Family("c", "gauge", "C."),
        Family("a", "gauge", "A.").add([], 2),
    ]
    assert [line for line in render(families).decode().splitlines() if line[0] != "#"] == ["a 2", "b 1"]


def test_a_histogram_counts_up_to_each_bound():
    histogram = Histogram((0.1, 1, 1e6))
    for value in (0.1, 0.5, 7, 2e6):
        histogram.observe(value)
    text = render([Family("took_seconds", "histogram", "How long.").add([], histogram)]).decode()
    assert [line for line in text.splitlines() if line[0] != "#"] == [
        'took_seconds_bucket{le="0.1"} 1',
        'took_seconds_bucket{le="1"} 2',
        'took_seconds_bucket{le="1e+06"} 3',
        'took_seconds_bucket{le="+Inf"} 4',
        "took_seconds_sum 2.0000076e+06",
        "took_seconds_count 4",
    ]
    (family,) = text_string_to_metric_families(text)
    assert family.type == "histogram"


def test_an_observation_can_be_corrected_and_histograms_add_up():
    one, other = Histogram(exponential(1, 2, 3)), Histogram((1, 2, 4))
    one.observe(3.0)
    one.move(3.0, 0.5)
    other.observe(9.0)
    one.add(other)
    assert (one.counts, one.sum, one.count) == ([1, 0, 0, 1], 9.5, 2)


def test_the_process_tells_of_itself():
    values = {family.name: family for family in process.families()}
    text = render(values.values()).decode()
    numbers = {line.split()[0]: float(line.split()[1]) for line in text.splitlines() if line[0] != "#"}
    assert numbers["process_resident_memory_bytes"] > 1_000_000
    assert 0 < numbers["process_open_fds"] < numbers["process_max_fds"]
    assert numbers["process_start_time_seconds"] == pytest.approx(Path("/proc/self").stat().st_ctime, abs=60)
    assert numbers['python_gc_collections_total{generation="0"}'] >= 0
