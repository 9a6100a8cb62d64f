"""Questions about other names: asked of the upstream servers, answers kept for as long as they allow."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

import dns.exception
import dns.flags
import dns.message
import dns.rcode

from mamekube.dns.asyncquery_import import asyncquery

CACHE_ENTRIES_MAX = 2_000
CACHE_TTL_S_MAX = 30
UPSTREAM_TIMEOUT_S = 2.0


def upstream_servers(resolv_conf: str) -> list[str]:
    """The name servers of a resolv.conf's text."""
    lines = (line.split() for line in resolv_conf.splitlines())
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]


class Resolver:
    """Forwards to upstream servers in order, and remembers."""

    def __init__(self, upstreams: Sequence[str]) -> None:
        self._upstreams = list(upstreams)
        self._cache: OrderedDict[tuple[str, int], tuple[float, dns.message.Message]] = OrderedDict()

    async def resolve(self, query: dns.message.Message) -> dns.message.Message:
        """The upstream's answer, with the query's id; SERVFAIL where none of them answers."""
        question = query.question[0]
        key = (question.name.to_text().lower(), int(question.rdtype))
        now_s = asyncio.get_running_loop().time()
        known = self._cache.get(key)
        if known is not None and known[0] > now_s:
            return _readdressed(known[1], query)
        for upstream in self._upstreams:
            try:
                answer, _ = await asyncquery.udp_with_fallback(
                    _forwarded(query), upstream, timeout=UPSTREAM_TIMEOUT_S
                )
            except (dns.exception.DNSException, OSError):
                continue
            self._remember(key, answer, now_s)
            return _readdressed(answer, query)
        failure = dns.message.make_response(query, recursion_available=True)
        failure.set_rcode(dns.rcode.SERVFAIL)
        return failure

    def _remember(self, key: tuple[str, int], answer: dns.message.Message, now_s: float) -> None:
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return
        ttl_s = min([CACHE_TTL_S_MAX, *(rrset.ttl for rrset in answer.answer)])
        self._cache[key] = (now_s + ttl_s, answer)
        self._cache.move_to_end(key)
        if len(self._cache) > CACHE_ENTRIES_MAX:
            self._cache.popitem(last=False)


def _forwarded(query: dns.message.Message) -> dns.message.Message:
    question = query.question[0]
    return dns.message.make_query(question.name, question.rdtype, question.rdclass, use_edns=True)


def _readdressed(answer: dns.message.Message, query: dns.message.Message) -> dns.message.Message:
    response = dns.message.make_response(query, recursion_available=True)
    response.set_rcode(answer.rcode())
    response.answer = answer.answer
    response.authority = answer.authority
    return response
