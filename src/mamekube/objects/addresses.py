"""IP addresses and blocks of them as text: what is taken for one, and how it would better be written.

Fields that are older than the strict rules take any spelling that nobody can misread (`ip`, `cidr`); newer ones take
one spelling alone (`canonical_ip`, `canonical_cidr`). Before either, upstream read numbers with leading zeros and IPv4
addresses in the form of IPv6, which some software reads otherwise; `sloppy_ip` and `sloppy_cidr` still know them, so
that what they stand for can be told.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

_NO_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_NO_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"

_leading_zeros = re.compile(r"(?<![0-9A-Fa-f])0+(?=[0-9A-Fa-f])")
_length = re.compile("[0-9]{1,7}")
_MAPPED_BITS = 96
"""Of an IPv4 address in the form of IPv6 this many come before those of the IPv4 address."""


def _strict_ip(text: str) -> Address | None:
    try:
        # Go's parser refuses zones in an address, Python's accepts them.
        return None if "%" in text else ip_address(text)
    except ValueError:
        return None


def sloppy_ip(text: str) -> Address | None:
    """The address; an IPv4 address in the form of IPv6 as itself. None where it is none however it is read."""
    address = _strict_ip(text) or _strict_ip(_leading_zeros.sub("", text))
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def ip(text: str) -> list[str]:
    address = _strict_ip(text)
    if isinstance(address, IPv4Address):
        return []
    if address is None:
        return [_NO_IP] if sloppy_ip(text) is None else ["must not have leading 0s"]
    return [] if address.ipv4_mapped is None else ["must not be an IPv4-mapped IPv6 address"]


def canonical_ip(text: str) -> list[str]:
    return ip(text) or _canonical(text, str(sloppy_ip(text)))


def is_ip(text: str) -> bool:
    """Whether anybody might take it for an address."""
    return sloppy_ip(text) is not None


def ip_warnings(text: str, path: str) -> list[str]:
    """Of the address at `path`, which its field takes."""
    address = sloppy_ip(text)
    if address is None:
        return []
    if ip(text):
        return [_non_standard(path, "IP address", text, str(address))]
    if ":" in text and str(address) != text:
        return [f'{path}: IPv6 address "{text}" should be in RFC 5952 canonical format ("{address}")']
    return []


class Block(NamedTuple):
    """A block of addresses as somebody wrote it."""

    address: Address
    """What was written before the slash, which need not be the first address of the block."""
    network: IPv4Network | IPv6Network
    mapped: bool
    """Whether an IPv4 block was written in the form of IPv6."""

    @property
    def is_whole(self) -> bool:
        """Whether it begins with the address that was written."""
        return self.address == self.network.network_address

    def is_strictly_within(self, other: Block) -> bool:
        """Whether it is part of the other block, and not all of it."""
        return (
            self.network.prefixlen > other.network.prefixlen and self.network.network_address in other.network
        )

    def __str__(self) -> str:
        return str(self.network)


def sloppy_cidr(text: str) -> Block | None:
    written, _, bits = text.partition("/")
    address = sloppy_ip(written)
    if address is None or _length.fullmatch(bits) is None:
        return None
    length, mapped = int(bits), ":" in written and address.version == 4
    if mapped and length <= 128:
        length = max(length - _MAPPED_BITS, 0)
    if length > address.max_prefixlen:
        return None
    return Block(address, ip_network((address, length), strict=False), mapped)


def cidr(text: str) -> list[str]:
    block = sloppy_cidr(text)
    if block is None:
        return [_NO_CIDR]
    if _has_leading_zeros(text):
        return ["must not have leading 0s in IP or prefix length"]
    if block.mapped:
        return ["must not have an IPv4-mapped IPv6 address"]
    return [] if block.is_whole else ["must not have bits set beyond the prefix length"]


def _has_leading_zeros(text: str) -> bool:
    written, _, bits = text.partition("/")
    return _strict_ip(written) is None or (bits != "0" and bits.startswith("0"))


def canonical_cidr(text: str) -> list[str]:
    return cidr(text) or _canonical(text, str(sloppy_cidr(text)))


def cidr_warnings(text: str, path: str) -> list[str]:
    """Of the block at `path`, which its field takes."""
    block = sloppy_cidr(text)
    if block is None:
        return []
    said = []
    if not block.is_whole:
        single = f"{block.address}/{block.address.max_prefixlen}"
        said.append(
            f'{path}: CIDR value "{text}" is ambiguous in this context (should be "{block}" or "{single}"?)'
        )
    if _has_leading_zeros(text) or block.mapped:
        said.append(_non_standard(path, "CIDR value", text, str(block)))
    if not said and ":" in text and text != str(block):
        said.append(f'{path}: IPv6 CIDR value "{text}" should be in RFC 5952 canonical format ("{block}")')
    return said


def family(text: str) -> str:
    """`IPv4` or `IPv6` of an address or a block, `""` where it is neither."""
    block = sloppy_cidr(text)
    address = sloppy_ip(text) if block is None else block.address
    return "" if address is None else f"IPv{address.version}"


def _canonical(text: str, right: str) -> list[str]:
    return [] if text == right else [f'must be in canonical form ("{right}")']


def _non_standard(path: str, noun: str, text: str, better: str) -> str:
    return (
        f'{path}: non-standard {noun} "{text}" will be considered invalid in a future Kubernetes release: '
        f'use "{better}"'
    )
