"""Headers: names without regard to case, every value kept in order."""

from mamekube.apiserver.wire import headers as headers_module
from mamekube.apiserver.wire.headers import Headers, lower_name


def headers(*pairs):
    made = Headers()
    for name, value in pairs:
        made.add(name, value)
    return made


def test_names_are_found_however_they_are_spelt():
    given = headers((b"content-TYPE", b"text/plain"))
    assert given["Content-Type"] == given.get("CONTENT-type") == "text/plain"
    assert "Content-type" in given
    assert "Accept" not in given
    assert given.get("Accept") is None
    assert given.get("Accept", "*/*") == "*/*"


def test_a_repeated_header_shows_its_first_value_and_keeps_the_others_in_order():
    given = headers((b"X-Group", b"a"), (b"Y", b"y"), (b"x-group", b"b"), (b"X-GROUP", b"c"))
    assert given["X-Group"] == "a"
    assert given.getall("x-group") == ["a", "b", "c"]
    assert given.getall("None") == []
    assert list(given) == ["x-group", "y"]
    assert (len(given), given.count()) == (2, 4)


def test_what_is_handed_on_has_the_names_that_go_writes():
    given = headers((b"x-remote-user", b"jane"), (b"ACCEPT", b"a"), (b"accept", b"b"))
    assert list(given.pairs()) == [("X-Remote-User", "jane"), ("Accept", "a"), ("Accept", "b")]


def test_values_are_text_without_the_space_behind_them():
    assert headers((b"N", "豆 \t".encode()))["n"] == "豆"
    assert headers((b"N", b"a\xffb"))["n"] == "a\ufffdb"


def test_only_so_many_spellings_are_remembered(monkeypatch):
    monkeypatch.setattr(headers_module, "_names", {})
    monkeypatch.setattr(headers_module, "NAMES_KEPT_MAX", 2)
    assert [lower_name(name) for name in (b"A", b"B", b"C", b"C")] == ["a", "b", "c", "c"]
    assert len(headers_module._names) == 2


def test_a_long_name_is_not_remembered(monkeypatch):
    monkeypatch.setattr(headers_module, "_names", {})
    assert lower_name(b"A" * 10_000) == "a" * 10_000
    assert headers_module._names == {}
