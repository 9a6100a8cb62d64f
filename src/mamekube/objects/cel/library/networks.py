"""IP addresses and CIDRs: `ip('::1')`, `cidr('10.0.0.0/8').containsIP('10.1.2.3')`."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from mamekube.objects.cel.errors import EvaluationError
from mamekube.objects.cel.functions import declare
from mamekube.objects.cel.library.standard import through
from mamekube.objects.cel.values import Cidr, Ip


def _address(text: str) -> IPv4Address | IPv6Address:
    """Raises ValueError with upstream's words."""
    if "%" in text:
        raise ValueError(f'IP address "{text}" with zone value is not allowed')
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError(f"IP Address {_quoted(text)} parse error during conversion from string") from None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        raise ValueError(f'IPv4-mapped IPv6 address "{text}" is not allowed')
    return address


def _quoted(text: str) -> str:
    return f'"{text}"'


@declare("ip", "string", "net.IP", cost=through)
def ip(text: str) -> Ip:
    try:
        return Ip(_address(text))
    except ValueError as error:
        raise EvaluationError(str(error)) from None


@declare("isIP", "string", "bool", cost=through)
def is_ip(text: str) -> bool:
    try:
        _address(text)
    except ValueError:
        return False
    return True


@declare("ip.isCanonical", "string", "bool", cost=through)
def is_canonical(text: str) -> bool:
    return str(ip(text).address) == text


declare("family", "net.IP", "int", member=True)(lambda found: found.address.version)
declare("isUnspecified", "net.IP", "bool", member=True)(lambda found: found.address.is_unspecified)
declare("isLoopback", "net.IP", "bool", member=True)(lambda found: found.address.is_loopback)


@declare("isLinkLocalMulticast", "net.IP", "bool", member=True)
def is_link_local_multicast(found: Ip) -> bool:
    address = found.address
    if isinstance(address, IPv4Address):
        return address in ip_network("224.0.0.0/24")
    return address.packed[0] == 0xFF and address.packed[1] & 0x0F == 0x02


@declare("isLinkLocalUnicast", "net.IP", "bool", member=True)
def is_link_local_unicast(found: Ip) -> bool:
    return found.address.is_link_local


@declare("isGlobalUnicast", "net.IP", "bool", member=True)
def is_global_unicast(found: Ip) -> bool:
    """As Go has it: private addresses are global unicast, too."""
    address = found.address
    if address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local:
        return False
    return str(address) != "255.255.255.255"


def _cidr(text: str) -> Cidr:
    """Raises ValueError."""
    base, slash, length = text.partition("/")
    try:
        if not slash or not re.fullmatch(r"0|[1-9][0-9]{0,2}", length, re.ASCII):
            raise ValueError
        return Cidr(_address(base), ip_network(text, strict=False))
    except ValueError as error:
        if "is not allowed" in str(error):
            raise
        raise ValueError(f'network address parse error during conversion from string: "{text}"') from None


@declare("cidr", "string", "net.CIDR", cost=through)
def cidr(text: str) -> Cidr:
    try:
        return _cidr(text)
    except ValueError as error:
        raise EvaluationError(str(error)) from None


@declare("isCIDR", "string", "bool", cost=through)
def is_cidr(text: str) -> bool:
    try:
        _cidr(text)
    except ValueError:
        return False
    return True


@declare("containsIP", "net.CIDR, string", "bool", member=True, cost=lambda net, text: through(text) + 1)
def contains_text(net: Cidr, text: str) -> bool:
    return contains_ip(net, ip(text))


@declare("containsIP", "net.CIDR, net.IP", "bool", member=True)
def contains_ip(net: Cidr, found: Ip) -> bool:
    return found.address in net.network


@declare("containsCIDR", "net.CIDR, string", "bool", member=True, cost=lambda net, text: through(text) + 1)
def contains_cidr_text(net: Cidr, text: str) -> bool:
    return contains_cidr(net, cidr(text))


@declare("containsCIDR", "net.CIDR, net.CIDR", "bool", member=True)
def contains_cidr(net: Cidr, other: Cidr) -> bool:
    outer: Any = net.network
    return outer.version == other.network.version and bool(other.network.subnet_of(outer))


declare("ip", "net.CIDR", "net.IP", member=True)(lambda net: Ip(net.address))
declare("prefixLength", "net.CIDR", "int", member=True)(lambda net: net.network.prefixlen)


@declare("masked", "net.CIDR", "net.CIDR", member=True)
def masked(net: Cidr) -> Cidr:
    return Cidr(net.network.network_address, net.network)
