"""`docs/conformance.md` says what the tests say."""

from collections import Counter

from tests.conformance import report

BEHAVIOUR = report.Behaviour("[sig-a] A thing should work [Conformance]", "A thing", "v1.9", "sig-a")


def page_of(tests, passed):
    return report.render([BEHAVIOUR], tests, passed, sigs=("sig-a",))


def test_every_marker_names_one_behaviour():
    known = report.behaviours()
    wrong = [check for check in report.checks() if len(report.find(check.name, known)) != 1]
    assert not wrong


def test_tests_with_the_marker_have_names_of_their_own():
    """The page says which pass by their names alone."""
    paths = {(check.test, check.test.partition("::")[2]) for check in report.checks()}
    counts = Counter(name for _, name in paths)
    assert not [name for name, count in counts.items() if count > 1]


def test_the_page_is_made_of_the_markers():
    """Not that the tests pass: that is for the run that the page was written after."""
    page, tests = report.PAGE.read_text(), report.checks()
    expected = report.render(report.behaviours(), tests, report.states(page, tests))
    assert page == expected, "run the conformance tests, then python -m tests.conformance.report"


def test_a_behaviour_without_a_test_is_open():
    assert "| A thing should work | v1.9 |  | open |" in page_of([], {})


def test_a_behaviour_passes_when_all_its_tests_do():
    tests = [
        report.Check("tests/a.py::test_one", "A thing", ""),
        report.Check("tests/a.py::test_two", "A thing", ""),
    ]
    assert "| open |" in page_of(tests, {"tests/a.py::test_one": True})
    assert "| open |" in page_of(tests, {"tests/a.py::test_one": True, "tests/a.py::test_two": False})
    page = page_of(tests, {"tests/a.py::test_one": True, "tests/a.py::test_two": True})
    assert "1 of 1 pass" in page
    assert "[`test_one`](../tests/a.py), [`test_two`](../tests/a.py) | passes |" in page
