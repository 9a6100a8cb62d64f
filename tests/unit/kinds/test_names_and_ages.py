"""Names, ages and the wording of field errors, against what upstream answers."""

import pytest

from mamekube.objects import ages, fielderrors, names

LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
LABEL_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
    "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


@pytest.mark.parametrize(
    ("rule", "name", "messages"),
    [
        (names.dns1123_label, "web-1", []),
        (names.dns1123_label, "Web", [LABEL]),
        (names.dns1123_label, "a.b", ["must not contain dots"]),
        (names.dns1123_label, "a" * 64, ["must be no more than 63 bytes"]),
        (names.dns1123_label, "a\n", [LABEL]),
        (names.dns1123_subdomain, "a.b-c.d", []),
        (names.dns1035_label, "web-1", []),
        (names.qualified_name, "app", []),
        (names.qualified_name, "example.com/App_1.x", []),
        (names.qualified_name, "Example.com/", None),
        (names.label_value, "", []),
        (names.label_value, "-x", [LABEL_VALUE]),
        (names.port_name, "http", []),
        (names.port_name, "8080", ["must contain at least one letter (a-z)"]),
        (names.port_name, "a--b", ["must not contain consecutive hyphens"]),
        (names.port_number, 0, ["must be between 1 and 65535, inclusive"]),
        (names.port_number, 65535, []),
        (names.path_segment, "system:node", []),
        (names.path_segment, "a/b", ["may not contain '/'"]),
        (names.path_segment, "..", ["may not be '..'"]),
        (names.env_name, "1 weird.name", []),
        (names.ip, "10.0.0.1", []),
        (names.ip, "fe80::1%eth0", ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]),
        (names.cidr, "10.0.0.0/8", []),
        (names.cidr, "10.0.0.0", ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]),
        (names.config_key, "..data", ["must not start with '..'"]),
    ],
)
def test_rules_word_what_is_wrong_as_apimachinery(rule, name, messages) -> None:
    answer = rule(name)
    assert answer == messages if messages is not None else len(answer) == 3


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-2, "<invalid>"),
        (-1, "0s"),
        (119.9, "119s"),
        (120, "2m"),
        (185, "3m5s"),
        (600, "10m"),
        (10799, "179m"),
        (10800, "3h"),
        (11160, "3h6m"),
        (28800, "8h"),
        (172799, "47h"),
        (172800, "2d"),
        (183600, "2d3h"),
        (691200, "8d"),
        (62985600, "729d"),
        (63072000, "2y"),
        (63158400, "2y1d"),
        (283824000, "9y"),
    ],
)
def test_durations_lose_small_units_as_they_grow(seconds, text) -> None:
    assert ages.human(seconds) == text


def test_an_age_without_a_time_is_unknown() -> None:
    assert ages.since(None, 0.0) == ages.since("", 0.0) == ages.since("soon", 0.0) == "<unknown>"
    assert ages.since("1970-01-01T00:00:00.5Z", 300.5) == "5m"
    assert ages.until("1970-01-01T00:05:00Z", 0.0) == "5m"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(59, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (86400, "1d"), (31536000, "1y")],
)
def test_short_durations_have_one_unit(seconds, text) -> None:
    assert ages.short(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", '"x"'),
        ('a"\n', '"a\\"\\n"'),
        ("\x00", '"\\x00"'),
        (-1, "-1"),
        (True, "true"),
        (None, "null"),
        ({"b": "<", "a": "1"}, '{"a":"1","b":"\\u003c"}'),
        (
            {"matchExpressions": [], "matchLabels": {"a": "b"}},
            '{"matchLabels":{"a":"b"},"matchExpressions":[]}',
        ),
    ],
)
def test_values_are_shown_as_go_shows_them(value, text) -> None:
    assert fielderrors.render(value) == text


def test_choices_keep_their_order_unless_they_are_a_set() -> None:
    in_order = fielderrors.not_supported("f", "x", ("b", "a"))
    sorted_ = fielderrors.not_supported("f", "x", {"b", "a"})
    assert str(in_order) == 'f: Unsupported value: "x": supported values: "b", "a"'
    assert str(sorted_) == 'f: Unsupported value: "x": supported values: "a", "b"'


def test_one_byte_is_singular() -> None:
    assert str(fielderrors.too_long("f", 1)) == "f: Too long: may not be more than 1 byte"
    assert str(fielderrors.too_many("f", 3, 2)) == "f: Too many: 3: must have at most 2 items"
