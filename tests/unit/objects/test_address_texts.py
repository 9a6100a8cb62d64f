"""What is taken for an IP address or a block of them, how it should be written, and what is said of other spellings."""

import pytest

from mamekube.objects import addresses

NO_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
NO_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
MAPPED_IP = "must not be an IPv4-mapped IPv6 address"
MAPPED_CIDR = "must not have an IPv4-mapped IPv6 address"
ZEROS = "must not have leading 0s"
ZEROS_OF_CIDR = "must not have leading 0s in IP or prefix length"
BITS = "must not have bits set beyond the prefix length"


def used(text: str) -> str:
    return f'will be considered invalid in a future Kubernetes release: use "{text}"'


IPS = [
    ("10.0.0.1", "", "", ""),
    ("2001:db8::1", "", "", ""),
    ("2001:DB8:0::1", "", 'must be in canonical form ("2001:db8::1")',
     'p: IPv6 address "2001:DB8:0::1" should be in RFC 5952 canonical format ("2001:db8::1")'),
    ("010.0.0.001", ZEROS, ZEROS, f'p: non-standard IP address "010.0.0.001" {used("10.0.0.1")}'),
    ("::ffff:1.2.3.4", MAPPED_IP, MAPPED_IP, f'p: non-standard IP address "::ffff:1.2.3.4" {used("1.2.3.4")}'),
    ("::ffff:01.2.3.4", ZEROS, ZEROS, f'p: non-standard IP address "::ffff:01.2.3.4" {used("1.2.3.4")}'),
    ("", NO_IP, NO_IP, ""),
    ("10.0.0", NO_IP, NO_IP, ""),
    ("10.0.0.256", NO_IP, NO_IP, ""),
    ("fe80::1%eth0", NO_IP, NO_IP, ""),
    ("example.com", NO_IP, NO_IP, ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "old", "new", "warning"), IPS)
def test_an_address_is(text: str, old: str, new: str, warning: str) -> None:
    assert addresses.ip(text) == [old][: bool(old)]
    assert addresses.canonical_ip(text) == [new][: bool(new)]
    assert addresses.ip_warnings(text, "p") == [warning][: bool(warning)]
    assert addresses.is_ip(text) == (old != NO_IP)


CIDRS = [
    ("10.0.0.0/8", "", "", []),
    ("0.0.0.0/0", "", "", []),
    ("10.0.0.1/32", "", "", []),
    ("2001:DB8::/32", "", 'must be in canonical form ("2001:db8::/32")',
     ['p: IPv6 CIDR value "2001:DB8::/32" should be in RFC 5952 canonical format ("2001:db8::/32")']),
    ("10.0.0.1/8", BITS, BITS,
     ['p: CIDR value "10.0.0.1/8" is ambiguous in this context (should be "10.0.0.0/8" or "10.0.0.1/32"?)']),
    ("010.0.0.0/8", ZEROS_OF_CIDR, ZEROS_OF_CIDR,
     [f'p: non-standard CIDR value "010.0.0.0/8" {used("10.0.0.0/8")}']),
    ("10.0.0.0/08", ZEROS_OF_CIDR, ZEROS_OF_CIDR,
     [f'p: non-standard CIDR value "10.0.0.0/08" {used("10.0.0.0/8")}']),
    ("::ffff:10.0.0.0/104", MAPPED_CIDR, MAPPED_CIDR,
     [f'p: non-standard CIDR value "::ffff:10.0.0.0/104" {used("10.0.0.0/8")}']),
    ("10.0.0.010/24", ZEROS_OF_CIDR, ZEROS_OF_CIDR,
     ['p: CIDR value "10.0.0.010/24" is ambiguous in this context (should be "10.0.0.0/24" or "10.0.0.10/32"?)',
      f'p: non-standard CIDR value "10.0.0.010/24" {used("10.0.0.0/24")}']),
    ("10.0.0.0/33", NO_CIDR, NO_CIDR, []),
    ("2001:db8::/129", NO_CIDR, NO_CIDR, []),
    ("::ffff:10.0.0.0/129", NO_CIDR, NO_CIDR, []),
    ("10.0.0.0", NO_CIDR, NO_CIDR, []),
    ("10.0.0.0/", NO_CIDR, NO_CIDR, []),
    ("10.0.0.0/+8", NO_CIDR, NO_CIDR, []),
    ("10.0.0.0/255.0.0.0", NO_CIDR, NO_CIDR, []),
    ("", NO_CIDR, NO_CIDR, []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "old", "new", "warnings"), CIDRS)
def test_a_block_is(text: str, old: str, new: str, warnings: list[str]) -> None:
    assert addresses.cidr(text) == [old][: bool(old)]
    assert addresses.canonical_cidr(text) == [new][: bool(new)]
    assert addresses.cidr_warnings(text, "p") == warnings
