"""Names, the starts of generated names, search domains and field managers, by upstream's tables."""

import pytest

from mamekube.objects import metadata_parts, names


@pytest.mark.parametrize(
    ("prefix", "fits"),
    [
        ("abc", True),
        ("abc-", True),
        ("abc--", True),
        ("a--", True),
        ("A-", True),
        ("aB-", True),
        ("-", False),
        ("abc.-", True),
        ("Ab-", False),
    ],
)
def test_a_dash_at_the_end_of_a_prefix_hides_the_character_before_it(prefix, fits):
    assert (names.object_name("subdomain", prefix, prefix=True) == []) is fits


def test_only_a_whole_name_may_not_be_a_dot():
    assert names.object_name("path", "..") == ["may not be '..'"]
    assert names.object_name("path", "..", prefix=True) == []
    assert names.object_name("path", "a/b%", prefix=True) == ["may not contain '/'", "may not contain '%'"]


def test_the_pattern_of_a_search_domain_has_its_underscores():
    (error,) = names.search_domain("A")
    assert error.endswith(
        r"'_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')",
    )


@pytest.mark.parametrize(
    ("manager", "said"),
    [
        ("kubectl", []),
        ("übrig", []),
        ("x" * 128, []),
        ("x" * 129, ["fieldManager: Too long: may not be more than 128 bytes"]),
        ("ü" * 65, ["fieldManager: Too long: may not be more than 128 bytes"]),
        (
            "ü\nb\x7f",
            [
                r'fieldManager: Invalid value: "ü\nb\x7f": invalid character U+000A (at position 2)',
                r'fieldManager: Invalid value: "ü\nb\x7f": invalid character U+007F (at position 4)',
            ],
        ),
    ],
)
def test_what_a_field_manager_may_be(manager, said):
    assert [str(error) for error in metadata_parts.field_manager_errors(manager, "fieldManager")] == said


def test_managers_in_metadata_are_checked_too():
    entries = [{"manager": "a"}, {"manager": "b" * 129, "subresource": "s" * 257}]
    assert [str(error) for error in metadata_parts.validate_managed_fields(entries)] == [
        "metadata.managedFields[1].manager: Too long: may not be more than 128 bytes",
        "metadata.managedFields[1].subresource: Too long: may not be more than 256 bytes",
    ]


@pytest.mark.parametrize(
    ("key", "starts"),
    [
        (
            "a/b/c",
            ["a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start"],
        ),
        ("/a", ["prefix part must be non-empty"]),
        ("A/a", ["prefix part a lowercase RFC 1123 subdomain must consist of"]),
        ("a/", ["name part must be non-empty", "name part must consist of alphanumeric characters"]),
        ("-" + "a" * 63, ["name part must be no more than 63 bytes", "name part must consist of"]),
    ],
)
def test_what_is_wrong_with_a_key_of_labels(key, starts):
    found = names.qualified_name(key)
    assert len(found) == len(starts)
    assert all(text.startswith(start) for text, start in zip(found, starts, strict=True))
