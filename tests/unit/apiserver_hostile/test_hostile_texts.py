"""Long texts that a careless pattern looks at again from every place: minutes for each of these, hours for 3 MiB."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.apiserver_hostile.site import PODS

from mamekube.apiserver.formats import fieldvalidation, negotiation
from mamekube.kinds.apiextensions import rule_checks, rules
from mamekube.kinds.certificates import pkcs10
from mamekube.kinds.podspec import environment
from mamekube.objects import jsonpath
from mamekube.objects.cel import EvaluationError
from mamekube.objects.cel.library import standard

MANY = 300_000
BEGIN = b"-----BEGIN CERTIFICATE REQUEST-----\n"
END = b"-----END CERTIFICATE REQUEST-----\n"


def refusal(read: Callable[[str], Any], text: str) -> str:
    with pytest.raises((ValueError, EvaluationError)) as refused:
        read(text)
    return str(refused.value)


def test_digits_that_are_no_quantity() -> None:
    assert fieldvalidation.QUANTITY.fullmatch("1" * MANY + "!") is None
    assert fieldvalidation.QUANTITY.fullmatch("1" * MANY + "." + "1" * MANY + "!") is None


def test_digits_that_are_no_duration() -> None:
    assert refusal(standard.parse_duration, "1" * MANY).startswith("time: invalid duration")
    assert standard.parse_duration("1h1.5m.5s").ns == 3690.5e9


def test_brackets_in_the_path_of_a_field() -> None:
    found: list[Any] = []
    reference = {"apiVersion": "v1", "fieldPath": "['" * MANY}
    environment.validate_field(reference, "fieldRef", frozenset(), found)
    assert "field label not supported" in found[0].message


def test_beginnings_and_ends_of_pem_blocks() -> None:
    assert list(pkcs10.blocks(BEGIN * MANY)) == []
    assert list(pkcs10.blocks(BEGIN * MANY + END)) == [pkcs10.Block("CERTIFICATE REQUEST", b"", False)]
    assert list(pkcs10.blocks((BEGIN + b"!\n" + END) * 1000)) == []
    one = BEGIN + b"YWJj\n" + END
    assert [block.content for block in pkcs10.blocks(b"text\n" + one + b"between\n" + one)] == [
        b"abc",
        b"abc",
    ]
    other = b"-----BEGIN OTHER-----\n"
    assert [block.content for block in pkcs10.blocks(other + one + one)] == [b"abc", b"abc"]


def test_half_a_string_in_a_rule() -> None:
    escapes = '\\"' * MANY
    assert not rules.uses_old(f'"{escapes} oldSelf')
    assert rules.uses_old('self == "\\"" + oldSelf')
    problem = rule_checks.find_field({"additionalProperties": {}}, ".a['" + "\\'" * MANY)
    assert problem == "expected single quoted string but got '"


def test_brackets_and_spaces_in_a_json_path() -> None:
    assert refusal(jsonpath.parse, "{" + "[" * MANY + "}").startswith("unterminated")
    assert refusal(jsonpath.parse, "{.a[?(@.b" + " " * MANY + "c)]}")
    listed = {"items": [{"n": 1}, {"n": 2}]}
    assert jsonpath.render("{.items[?(@.n == 2)].n} {.items[0].n}", listed) == "2 1"


def test_a_long_accept_is_not_remembered() -> None:
    kept = negotiation.object_form.cache_info().currsize
    accept = "application/json" + "," * negotiation.ACCEPT_KEPT_MAX
    assert negotiation.object_form(accept, collection=False).media_type == "application/json"
    assert negotiation.object_form.cache_info().currsize == kept


async def test_a_pod_that_asks_for_too_many_digits_is_refused(site) -> None:
    container = {"name": "c", "image": "i", "resources": {"limits": {"cpu": "1" * MANY + "!"}}}
    body = {"metadata": {"name": "p"}, "spec": {"containers": [container]}}
    await site.refused("POST", PODS, body)
