"""YAML as Go's library reads and writes it, and durations as Go writes them."""

import pytest

from mamekube.kubectl import goyaml
from mamekube.kubectl.commands import explain, taint
from mamekube.objects import durations

WORDS = {
    "y": True,
    "off": False,
    "tRUE": "tRUE",
    "~": None,
    "Null": None,
    "017": 15,
    "0o17": 15,
    "0x1f": 31,
    "0b11": 3,
    "-017": -15,
    "1_000": 1000,
    "1e3": 1000,
    "5.": 5,
    ".5": 0.5,
    "08": 8,
    "1e": "1e",
    "1:20": "1:20",
    "2020-01-01": "2020-01-01",
    "2020-01-01T00:00:00Z": "2020-01-01T00:00:00Z",
    "=": "=",
    "<<": "<<",
    "100000000000000000000": 1e20,
    "!!binary aGk=": "hi",
}


@pytest.mark.parametrize(("text", "value"), WORDS.items(), ids=WORDS)
def test_plain_words_mean_what_they_mean_to_go(text, value):
    read = goyaml.load(f"a: {text}\n")["a"]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("text", [text for text, value in WORDS.items() if not text.startswith("!")])
def test_text_comes_back_as_text(text):
    assert goyaml.load(goyaml.dump({"a": text})) == {"a": text}


def test_lists_are_not_indented_and_long_lines_are_folded():
    words = "word " * 20
    assert goyaml.dump({"b": ["x"], "a": words.strip(), "c": "1\n2\n"}) == (
        f"a: {('word ' * 16).strip()}\n  {('word ' * 4).strip()}\nb:\n- x\nc: |\n  1\n  2\n"
    )


def test_what_is_no_yaml_is_told_of_by_its_line():
    with pytest.raises(goyaml.YamlError, match=r"^yaml: line 1: did not find expected node content$"):
        goyaml.load("a: [")


@pytest.mark.parametrize(
    ("seconds", "text"),
    {0: "0s", 2: "2s", 90: "1m30s", 3600: "1h0m0s", 0.25: "250ms", 1.5: "1.5s", -5: "-5s"}.items(),
)
def test_durations_are_written_as_go_does(seconds, text):
    assert durations.text_of(seconds) == text
    assert durations.parse_s(text) == seconds


def test_lines_are_wrapped_each_for_itself():
    assert explain.wrapped("one two three\n  four", 8) == "one two\nthree\n  four"
    assert explain.wrapped("a verylongword b", 6) == "a\nverylongword\nb"


@pytest.mark.parametrize(
    ("spec", "error"),
    {
        "a=b": "invalid taint spec: a=b, name part must consist",
        "a:Never": "invalid taint effect: Never, unsupported taint effect",
        "a:b:NoSchedule": "invalid taint spec: a:b:NoSchedule",
        "a": "invalid taint spec: a",
    }.items(),
)
def test_taints_that_are_none_are_refused(spec, error):
    with pytest.raises(ValueError, match=f"^{error}"):
        taint.parse([spec])


def test_a_taint_is_taken_away_by_its_key_alone():
    added, removed = taint.parse(["a=b:NoSchedule", "c-", "d=1:NoExecute-"])
    assert [str(one) for one in added] == ["a=b:NoSchedule"]
    assert [str(one) for one in removed] == ["c", "d:NoExecute"]
