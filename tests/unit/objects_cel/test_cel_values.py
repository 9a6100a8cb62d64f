"""Expressions and their values: the language, the libraries, and the examples of Kubernetes' documentation."""

from __future__ import annotations

from typing import Any

import pytest

from mamekube.objects import cel
from mamekube.objects.cel.values import Duration, Timestamp, UInt

OBJECT: dict[str, Any] = {
    "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web", "a.b/c-d": "e"}},
    "spec": {
        "replicas": 3,
        "minReplicas": 0,
        "maxReplicas": 5,
        "ratio": 0.5,
        "empty": None,
        "names": ["a", "b", "c"],
        "ports": [{"name": "http", "port": 80}, {"name": "https", "port": 443}],
        "x-prop": 1,
        "foo.bar": 2,
        "namespace": "inner",
        "redact__d": 3,
        "size/limit": 4,
    },
}


def value(expression: str, **bindings: Any) -> Any:
    whole = {"object": OBJECT, **bindings}
    return cel.compile(expression, variables=tuple(whole)).evaluate(whole, budget=1_000_000)


LANGUAGE = [
    ("1 + 2 * 3", 7),
    ("(1 + 2) * 3", 9),
    ("-7 / 2", -3),
    ("-7 % 2", -1),
    ("7.0 / 2.0", 3.5),
    ("1.0 / 0.0 > 1.0e300", True),
    ("0x1F", 31),
    ("-0x10", -16),
    ("5u - 3u", UInt(2)),
    ("-9223372036854775808", -(2**63)),
    ("--1", 1),
    ("!true", False),
    ("'a' + 'b'", "ab"),
    ("[1] + [2]", [1, 2]),
    ("b'\\xff' == b'\\377'", True),
    ("size(b'é')", 2),
    ("size('é')", 1),
    ("'\\u00fc\\n\\t\\x41\\101'", "ü\n\tAA"),
    ("r'\\d'", "\\d"),
    ("'''a\n'b'\n'''", "a\n'b'\n"),
    ("// a comment\n1", 1),
    ("true ? 1 : 2", 1),
    ("false ? 1 : true ? 2 : 3", 2),
    ("1 < 2 && 2 < 3", True),
    ("dyn(1) == 1.0", True),
    ("dyn(1) == 1u", True),
    ("dyn(true) == 1", False),
    ("dyn('1') == 1", False),
    ("1 < 1.5", True),
    ("2u > 1", True),
    ("[1, 2] == [1, 2]", True),
    ("{'a': 1, 'b': 2} == {'b': 2, 'a': 1}", True),
    ("2 in [1, 2, 3]", True),
    ("'a' in {'a': 1}", True),
    ("'z' in {'a': 1}", False),
    ("{'a': 1}['a']", 1),
    ("{1: 'x'}[1]", "x"),
    ("[1, 2, 3][1]", 2),
    ("type(1) == int && type('') == string && type([]) == list && type(null) == null_type", True),
    ("int('42') + int(3.9) + int(2u)", 47),
    ("double('1.5')", 1.5),
    ("string(1) + string(true) + string(1.0) + string(2u)", "1true12"),
    ("string(1234567.0)", "1.234567e+06"),
    ("string(0.00001)", "1e-05"),
    ("string(123.456)", "123.456"),
    ("bool('true')", True),
    ("uint('7')", UInt(7)),
    ("string(b'abc')", "abc"),
    ("duration('1h30m')", Duration(5_400_000_000_000)),
    ("duration('1.5s')", Duration(1_500_000_000)),
    ("string(duration('1h'))", "3600s"),
    ("duration('1m') < duration('90s')", True),
    ("timestamp('1970-01-01T00:00:01Z')", Timestamp(1_000_000_000)),
    ("timestamp('2024-01-01T00:00:00+01:00') == timestamp('2023-12-31T23:00:00Z')", True),
    ("timestamp('2024-02-28T00:00:00Z') + duration('24h') == timestamp('2024-02-29T00:00:00Z')", True),
    ("timestamp('2024-01-02T00:00:00Z') - timestamp('2024-01-01T00:00:00Z') == duration('24h')", True),
    ("string(timestamp('2024-01-01T00:00:00.120Z'))", "2024-01-01T00:00:00.12Z"),
    ("timestamp('2024-03-10T12:34:56.789Z').getMonth()", 2),
    ("timestamp('2024-03-10T12:34:56.789Z').getDayOfWeek()", 0),
    ("timestamp('2024-03-10T12:34:56.789Z').getMilliseconds()", 789),
    ("timestamp('2024-03-10T23:30:00Z').getDate('+02:00')", 11),
    ("duration('90m').getHours()", 1),
    ("'hello'.startsWith('he') && 'hello'.endsWith('lo') && 'hello'.contains('ell')", True),
    ("'hello'.matches('^h.*o$')", True),
    ("matches('hello', 'l+')", True),
]

MACROS = [
    ("[1, 2, 3].all(x, x > 0)", True),
    ("[].all(x, x > 0)", True),
    ("[1, 2, 3].exists(x, x > 2)", True),
    ("[1, 2, 3].exists_one(x, x > 1)", False),
    ("[1, 2, 3].map(x, x * 2)", [2, 4, 6]),
    ("[1, 2, 3].map(x, x > 1, x * 2)", [4, 6]),
    ("[1, 2, 3].filter(x, x % 2 == 1)", [1, 3]),
    ("{'a': 1, 'b': 2}.all(k, k.size() == 1)", True),
    ("{'a': 1, 'b': 2}.map(k, k)", ["a", "b"]),
    ("{'a': 1}.exists(k, v, k == 'a' && v == 1)", True),
    ("[3, 4].all(i, v, v == i + 3)", True),
    ("[3, 4].transformList(i, v, i * v)", [0, 4]),
    ("{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v * 10)", {"b": 20}),
    ("{'a': 'x'}.transformMapEntry(k, v, {v: k})", {"x": "a"}),
    ("[1, 2].existsOne(i, v, v == 2)", True),
    ("[[1, 2], [3]].map(xs, xs.map(x, x + 1))", [[2, 3], [4]]),
    ("has(object.spec.replicas) && !has(object.spec.absent)", True),
    # An error gives way to a value that decides.
    ("[0, 1].exists(x, 1 / x == 1)", True),
    ("[0, 1].all(x, 1 / x == 2)", False),
    ("1 / 0 == 1 || true", True),
    ("false && 1 / 0 == 1", False),
]

OPTIONALS = [
    ("optional.of(1).value()", 1),
    ("optional.none().hasValue()", False),
    ("object.?spec.?absent.?deeper.orValue('d')", "d"),
    ("object.spec.?replicas.orValue(1)", 3),
    ("object.spec.names[?5].orValue('none')", "none"),
    ("object.metadata.labels[?'app'].hasValue()", True),
    ("[1, ?optional.none(), ?optional.of(2)]", [1, 2]),
    ("{'a': 1, ?'b': optional.none(), ?'c': optional.of(3)}", {"a": 1, "c": 3}),
    ("optional.of(2).optMap(x, x * 2).orValue(0)", 4),
    ("optional.of(2).optFlatMap(x, optional.of(x + 1)).value()", 3),
    ("optional.none().or(optional.of(7)).value()", 7),
    ("optional.ofNonZeroValue('').hasValue()", False),
    ("has(object.?spec.replicas)", True),
]

STRINGS = [
    ("'hello'.charAt(4)", "o"),
    ("'hello mellow'.indexOf('ello', 2)", 7),
    ("'hello mellow'.lastIndexOf('ello')", 7),
    ("['a', 'b'].join('-')", "a-b"),
    ("'TacoCÆt'.lowerAscii()", "tacocÆt"),
    ("'tacocæt'.upperAscii()", "TACOCæT"),
    ("'hello hello'.replace('he', 'we', 1)", "wello hello"),
    ("'a,b,c'.split(',', 2)", ["a", "b,c"]),
    ("'tacocat'.substring(4)", "cat"),
    ("'tacocat'.substring(0, 4)", "taco"),
    ("'  x '.trim()", "x"),
    ("strings.quote('a\"b')", '"a\\"b"'),
    (
        "'%s is %d, %.1f, %x, %o, %b, %e'.format([dyn('it'), 5, 1.25, 255, 8, 5, 1200.0])",
        "it is 5, 1.2, ff, 10, 101, 1.200000e+03",
    ),
    ("'%s'.format([[1, 2]])", "[1, 2]"),
    ("'%s%%'.format([1])", "1%"),
    ("'abc 123'.find('[0-9]+')", "123"),
    ("'abc'.find('[0-9]+')", ""),
    ("'123 abc 456'.findAll('[0-9]+')", ["123", "456"]),
    ("'123 abc 456'.findAll('[0-9]+', 1)", ["123"]),
]

KUBERNETES = [
    ("[1, 3, 4].isSorted()", True),
    ("['b', 'a'].isSorted()", False),
    ("[1, 3].sum()", 4),
    ("[1.5, 2.0].sum()", 3.5),
    ("[duration('1m'), duration('1s')].sum() == duration('61s')", True),
    ("[1, 3].max() + [1, 3].min()", 4),
    ("[1, 2, 2].indexOf(2)", 1),
    ("[1, 2, 2].lastIndexOf(2)", 2),
    ("['a', 'b'].indexOf('c')", -1),
    ("sets.contains([1, 2, 3], [2, 3])", True),
    ("sets.equivalent([1, 1, 2], [2, 1])", True),
    ("sets.intersects([1], [2])", False),
    ("url('https://example.com:80/path?query=a%20b').getHost()", "example.com:80"),
    ("url('https://example.com:80/').getHostname()", "example.com"),
    ("url('https://[::1]:80/').getHostname()", "::1"),
    ("url('https://[::1]:80/').getPort()", "80"),
    ("url('https://example.com/path with'.replace(' ', '%20')).getEscapedPath()", "/path%20with"),
    ("url('https://example.com/?k=a&k=b').getQuery()['k']", ["a", "b"]),
    ("isURL('/absolute') && !isURL('relative')", True),
    ("url('/path').getScheme()", ""),
    ("quantity('1Mi').isGreaterThan(quantity('1024'))", True),
    ("quantity('50k').add(quantity('20k')).sub(5000).asInteger()", 65000),
    ("quantity('1.5Gi').isInteger()", True),
    ("quantity('500m').asApproximateFloat()", 0.5),
    ("quantity('200M').compareTo(quantity('0.2G'))", 0),
    ("quantity('-1').sign()", -1),
    ("quantity('1000m') == quantity('1')", True),
    ("isQuantity('1.3Gii')", False),
    ("ip('192.168.0.1').family()", 4),
    ("ip('::1').isLoopback()", True),
    ("ip('fe80::1').isLinkLocalUnicast()", True),
    ("ip('8.8.8.8').isGlobalUnicast()", True),
    ("isIP('127.0.0.256')", False),
    ("ip.isCanonical('2001:DB8::ABCD')", False),
    ("string(ip('2001:DB8::ABCD'))", "2001:db8::abcd"),
    ("cidr('192.168.0.0/24').containsIP(ip('192.168.0.1'))", True),
    ("cidr('192.168.0.0/24').containsCIDR('192.168.0.0/25')", True),
    ("string(cidr('192.168.1.5/24').masked())", "192.168.1.0/24"),
    ("cidr('2001:db8::/32').prefixLength()", 32),
    ("cidr('192.168.0.0/24').ip().family()", 4),
    ("isCIDR('192.168.0.0/33')", False),
    ("format.dns1123Label().validate('my-name').hasValue()", False),
    ("format.dns1123Label().validate('Not Valid').hasValue()", True),
    ("format.named('dns1123Label').value().validate('ok').hasValue()", False),
    ("format.uuid().validate('123e4567-e89b-12d3-a456-426614174000').hasValue()", False),
    ("format.date().validate('2024-02-30').hasValue()", True),
    ("semver('1.2.3').isLessThan(semver('1.10.0'))", True),
    ("semver('1.2.3-rc.1').isLessThan(semver('1.2.3'))", True),
    ("semver('v1.0', true).minor()", 0),
    ("isSemver('1.0')", False),
    ("jsonpatch.escapeKey('example.com/a~b')", "example.com~1a~0b"),
]

DOCUMENTATION = [
    (
        "object.spec.minReplicas <= object.spec.replicas && object.spec.replicas <= object.spec.maxReplicas",
        True,
    ),
    ("'app' in object.metadata.labels", True),
    ("object.spec.names.all(n, n.matches('^[a-z]$'))", True),
    ("has(object.spec.expired) && object.spec.expired < timestamp('2020-01-01T00:00:00Z')", False),
    ("object.metadata.name.startsWith('web')", True),
    ("object.spec.ports.exists_one(p, p.port == 80)", True),
    ("object.spec.ports.map(p, p.name).isSorted()", True),
    ("object.metadata.namespace == 'default'", True),
    ("object.spec.x__dash__prop > 0", True),
    ("object.spec.foo__dot__bar", 2),
    ("object.spec.__namespace__ == 'inner'", True),
    ("object.spec.redact__underscores__d", 3),
    ("object.spec.size__slash__limit", 4),
    ("object.metadata.labels['a.b/c-d']", "e"),
    ("object.spec.empty == null", True),
    ("object.spec.ratio < 1.0", True),
    ("type(object.spec.ratio) == double && type(object.spec.replicas) == int", True),
]


@pytest.mark.parametrize(
    ("expression", "wanted"), LANGUAGE + MACROS + OPTIONALS + STRINGS + KUBERNETES + DOCUMENTATION
)
def test_the_value_of_an_expression(expression: str, wanted: Any) -> None:
    found = value(expression)
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("1 / 0", "division by zero"),
        ("1 % 0", "modulus by zero"),
        ("9223372036854775807 + 1", "integer overflow"),
        ("-(-9223372036854775807 - 1)", "integer overflow"),
        ("0u - 1u", "unsigned integer overflow"),
        ("object.absent", "no such key: absent"),
        ("object.spec.names[3]", "index out of bounds: 3"),
        ("{'a': 1}['b']", "no such key: b"),
        ("dyn(1) + 'a'", "no such overload"),
        ("dyn(1).startsWith('a')", "no such overload: startsWith(int, string)"),
        ("object.spec.replicas ? 1 : 2", "no such overload"),
        ("int('x')", 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("int(1e300)", "integer overflow"),
        ("[1, 0].all(x, 1 / x == 1)", "division by zero"),
        ("optional.none().value()", "optional.none() dereference"),
        ("'abc'.charAt(4)", "index out of range: 4"),
        ("[1].filter(x, false).max()", "max called on empty list"),
        ("{'a': 1, 'a': 2}", "Failed with repeated key: a"),
        ("quantity('1Kx')", "quantities must match the regular expression"),
        ("quantity('1Q')", "quantities must match"),
        ("ip('1.2.3')", 'IP Address "1.2.3" parse error during conversion from string'),
        ("object.metadata.name.matches(object.metadata.name + '(')", "error parsing regexp"),
    ],
)
def test_an_expression_without_a_value_says_why(expression: str, problem: str) -> None:
    with pytest.raises(cel.EvaluationError) as raised:
        value(expression)
    assert str(raised.value).startswith(problem)
