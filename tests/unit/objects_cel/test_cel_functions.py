"""Every function of every library, called with values of its types and of other types."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mamekube.objects import cel
from mamekube.objects.cel import functions
from mamekube.objects.cel.library.formats import FORMATS
from mamekube.objects.cel.types import Type
from mamekube.objects.cel.values import Duration, Format, Optional, Timestamp, TypeValue, UInt

functions.is_declared("size")
OVERLOADS = [
    overload
    for overloads in functions._DECLARED.values()
    for overload in overloads
    if not any(param.name.startswith("kubernetes.authorization") for param in overload.params)
]
SPECIAL = (
    *(
        "1Gi",
        "1e99999",
        "1h",
        "1.2.3-a.1",
        "10.0.0.0/8",
        "::1",
        "https://[::1]:1/x?y=z",
        "http://[",
        "(a+)+$",
    ),
    *(
        "2024-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "-14:00",
        "+14:00",
        "Europe/Berlin",
    ),
    "%d-%s-%.3f-%x",
)
TEXTS = st.one_of(
    st.text(max_size=8),
    st.text(alphabet="0123456789.:/-+eEkmMGi[]()%sdfvZT", max_size=20),
    st.sampled_from(SPECIAL),
)
INTS = st.one_of(st.integers(-5, 5), st.sampled_from([-(2**63), 2**63 - 1]))
SIMPLE: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int": INTS,
    "uint": st.integers(0, 2**64 - 1).map(UInt),
    "double": st.floats(),
    "string": TEXTS,
    "bytes": st.binary(max_size=8),
    "null_type": st.none(),
    "type": st.just(TypeValue("int")),
    "google.protobuf.Timestamp": st.integers(-62135596800 * 10**9, 253402300799 * 10**9).map(Timestamp),
    "google.protobuf.Duration": st.integers(-(2**63), 2**63 - 1).map(Duration),
    "kubernetes.NamedFormat": st.sampled_from([Format(name, check) for name, check in FORMATS.items()]),
}
MADE = {
    "kubernetes.Quantity": ("quantity", ["1Gi", "-0.5", "3e6"]),
    "kubernetes.URL": ("url", ["https://a@b:1/c?d=e", "/x", "http://[::1]/"]),
    "kubernetes.Semver": ("semver", ["1.2.3", "1.2.3-rc.1+b"]),
    "net.IP": ("ip", ["10.0.0.1", "fe80::1", "ff02::1"]),
    "net.CIDR": ("cidr", ["10.0.0.0/8", "::/0"]),
}


def made(function: str, text: str) -> Any:
    (overload,) = functions.find_overloads(function, 1, member=False)
    return overload.run(text)


ANYTHING = st.one_of(*SIMPLE.values(), st.lists(INTS, max_size=3), st.dictionaries(TEXTS, INTS, max_size=2))


def of_type(known: Type) -> st.SearchStrategy[Any]:
    if known.name in SIMPLE and not known.args:
        return SIMPLE[known.name]
    if known.name in MADE:
        function, texts = MADE[known.name]
        return st.sampled_from([made(function, text) for text in texts])
    if known.name == "list":
        return st.lists(st.one_of(of_type(known.args[0]), of_type(known.args[0]), ANYTHING), max_size=4)
    if known.name == "map":
        return st.dictionaries(TEXTS, ANYTHING, max_size=3)
    if known.name == "optional_type":
        return st.one_of(st.just(Optional()), ANYTHING.map(Optional))
    return ANYTHING


@settings(max_examples=400)
@given(st.data())
def test_a_function_answers_or_says_why_not_whatever_it_is_given(data: st.DataObject) -> None:
    overload = data.draw(st.sampled_from(OVERLOADS))
    wrong = data.draw(st.integers(0, 9)) == 0
    arguments = [data.draw(ANYTHING if wrong else of_type(param)) for param in overload.params]
    names = [f"v{index}" for index in range(len(arguments))]
    if overload.member:
        call = f"{names[0]}.{overload.name}({', '.join(names[1:])})"
    else:
        call = f"{overload.name}({', '.join(names)})"
    program = cel.compile(call, variables=names)
    try:
        program.evaluate(dict(zip(names, arguments, strict=True)), budget=1_000_000)
    except (cel.EvaluationError, cel.CelBudgetExceeded) as error:
        assert str(error)
