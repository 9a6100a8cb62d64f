"""The words are those of Go's encoding/json, scanner.go."""

import pytest

from mamekube.apiserver.formats.jsonerrors import END, explain


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", END),
        (" \n", END),
        ("x", "invalid character 'x' looking for beginning of value"),
        ("apiVersion: v1", "invalid character 'a' looking for beginning of value"),
        ("'", r"invalid character '\'' looking for beginning of value"),
        ("\\", r"invalid character '\\' looking for beginning of value"),
        ("\x00", r"invalid character '\x00' looking for beginning of value"),
        ("é", "invalid character 'Ã' looking for beginning of value"),
        ("NaN", "invalid character 'N' looking for beginning of value"),
        ("-Infinity", "invalid character 'I' in numeric literal"),
        ("-", END),
        ("-a", "invalid character 'a' in numeric literal"),
        ("1.", END),
        ("[1.]", "invalid character ']' after decimal point in numeric literal"),
        ("[1.5.2]", "invalid character '.' after array element"),
        ("[1e]", "invalid character ']' in exponent of numeric literal"),
        ("[2.5E+]", "invalid character ']' in exponent of numeric literal"),
        ("01", "invalid character '1' after top-level value"),
        ("tru", END),
        ("[trux]", "invalid character 'x' in literal true (expecting 'e')"),
        ("nul]", "invalid character ']' in literal null (expecting 'l')"),
        ("{", END),
        ("{a", "invalid character 'a' looking for beginning of object key string"),
        ('{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        ('{"a"', END),
        ('{"a" 1', "invalid character '1' after object key"),
        ('{"a":', END),
        ('{"a":}', "invalid character '}' looking for beginning of value"),
        ('{"a":[{"b":"]"}] x', "invalid character 'x' after object key:value pair"),
        ('{"a":[1 2', "invalid character '2' after array element"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ("{} x", "invalid character 'x' after top-level value"),
        ('"a', END),
        ('"a\n"', r"invalid character '\n' in string literal"),
        (r'"a\x"', "invalid character 'x' in string escape code"),
        (r'"a\u12g4"', r"invalid character 'g' in \u hexadecimal character escape"),
        (r'"a\u12"', r"""invalid character '"' in \u hexadecimal character escape"""),
        (r'"a\u1234', END),
        ('{"a":1}', ""),
        (r'"\ud800"', ""),
        ("[" + "9" * 5000 + "]", ""),
    ],
)
def test_what_is_no_json_is_explained_in_gos_words(text, why):
    assert explain(text.encode()) == why
