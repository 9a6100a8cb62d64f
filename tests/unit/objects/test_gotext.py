"""Values as Go prints them."""

from __future__ import annotations

from mamekube.objects import gotext


def test_go_prints_maps_in_order_of_their_keys() -> None:
    assert gotext.print_value({"b": [1, "x"], "a": None, "c": {"d": True}}) == (
        "map[a:<nil> b:[1 x] c:map[d:true]]"
    )


def test_kinds_have_the_names_of_go() -> None:
    values = [None, True, 1, 1.5, "a", [], {}]
    assert [gotext.kind_name(value) for value in values] == [
        "nil", "bool", "int64", "float64", "string", "slice", "map",
    ]  # fmt: skip
    assert [gotext.json_kind(value) for value in values] == [
        "null", "bool", "number", "number", "string", "array", "object",
    ]  # fmt: skip
