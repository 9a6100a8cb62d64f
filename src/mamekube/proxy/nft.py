"""The proxy's nftables table: its skeleton, the commands for a change, and the `nft` process that runs them.

One change is one transaction: either all of it is in force, or nothing. What the kernel has is remembered
in `Table`; if a transaction fails, the next one builds the whole table anew.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping

from mamekube.proxy.rules import EMPTY, MASQUERADE_BIT, ServiceRules, mark_rules

TABLE = "mamekube-proxy"
APPLY_TIMEOUT_S = 30.0


class NftError(Exception):
    """`nft` refused a transaction; nothing of it is in force."""


def skeleton(*, pod_network: str) -> str:
    """The table without any service. Running it replaces a table that is there."""
    return f"""
add table ip {TABLE}
delete table ip {TABLE}
table ip {TABLE} {{
  comment "Service addresses and node ports of this node's service proxy"
  set pod_network {{ type ipv4_addr; flags interval; elements = {{ {pod_network} }}; }}
  set hairpin {{ type ipv4_addr . ipv4_addr; }}
  set no_endpoints {{ type ipv4_addr . inet_proto . inet_service; }}
  set no_node_endpoints {{ type inet_proto . inet_service; }}
  map services {{ type ipv4_addr . inet_proto . inet_service : verdict; }}
  map nodeports {{ type inet_proto . inet_service : verdict; }}
  map endpoints {{ type ipv4_addr . inet_proto . inet_service . mark : ipv4_addr . inet_service; }}
  map node_endpoints {{ type inet_proto . inet_service . mark : ipv4_addr . inet_service; }}
  chain route {{
    ip daddr . meta l4proto . th dport vmap @services
    fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @nodeports
  }}
  chain refuse {{
    ip daddr . meta l4proto . th dport @no_endpoints reject
    fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport @no_node_endpoints reject
  }}
  chain nat_prerouting {{ type nat hook prerouting priority -100; policy accept; jump route; }}
  chain nat_output {{ type nat hook output priority -100; policy accept; jump route; }}
  chain nat_postrouting {{
    type nat hook postrouting priority 100; policy accept;
    ct status dnat ip saddr . ip daddr @hairpin masquerade
    ct mark & {MASQUERADE_BIT:#x} == {MASQUERADE_BIT:#x} masquerade fully-random
  }}
  chain filter_input {{
    type filter hook input priority 0; policy accept; ct state new jump refuse;
  }}
  chain filter_forward {{
    type filter hook forward priority 0; policy accept; ct state new jump refuse;
  }}
  chain filter_output {{
    type filter hook output priority 0; policy accept; ct state new jump refuse;
  }}
}}
"""


class Table:
    """What the kernel's table holds, and the commands that lead from there to what it should hold."""

    def __init__(self) -> None:
        self._rules: dict[str, ServiceRules] = {}
        self._pickers: set[tuple[str, int]] = set()
        self._uses: Counter[tuple[str, str, str]] = Counter()

    def reset(self) -> None:
        self._rules.clear()
        self._pickers.clear()
        self._uses.clear()

    def change(self, wanted: Mapping[str, ServiceRules]) -> str:
        """The commands that give each service named in `wanted` its new rules (EMPTY removes it).

        The table takes it for granted that they are run; if not, `reset` it.
        """
        pickers: list[str] = []
        removals: list[str] = []
        additions: list[str] = []
        definitions: list[str] = []
        leftovers: list[str] = []
        for key, new in wanted.items():
            old = self._rules.get(key, EMPTY)
            pickers += self._picker_commands(new.pickers)
            removed, added = self._element_commands(old, new)
            removals += removed
            additions += added
            definitions += _definition_commands(old, new)
            leftovers += _leftover_commands(old, new)
            if new.elements:
                self._rules[key] = new
            else:
                self._rules.pop(key, None)
        # Chains come before the elements that go to them, and go after the elements that did.
        return "\n".join([*pickers, *removals, *definitions, *additions, *leftovers])

    def _picker_commands(self, pickers: Iterable[tuple[str, int]]) -> list[str]:
        commands = []
        for policy, count in sorted(set(pickers) - self._pickers):
            self._pickers.add((policy, count))
            commands += _chain_commands(f"{policy}_{count}", (*mark_rules(policy), _pick_rule(policy, count)))
        return commands

    def _element_commands(self, old: ServiceRules, new: ServiceRules) -> tuple[list[str], list[str]]:
        removals: list[str] = []
        additions: list[str] = []
        for (name, key), value in old.elements.items():
            if new.elements.get((name, key)) == value:
                continue
            self._uses[name, key, value] -= 1
            if not self._uses[name, key, value]:
                del self._uses[name, key, value]
                removals.append(f"delete element ip {TABLE} {name} {{ {key} }}")
        for (name, key), value in new.elements.items():
            if old.elements.get((name, key)) == value:
                continue
            self._uses[name, key, value] += 1
            if self._uses[name, key, value] == 1:
                pair = f"{key} : {value}" if value else key
                additions.append(f"add element ip {TABLE} {name} {{ {pair} }}")
        return removals, additions


def _pick_rule(policy: str, count: int) -> str:
    pick = f"numgen random mod {count}"
    # The index goes through the packet's mark, since a map with a type of its own takes no `numgen` as key.
    ported = f"meta mark set {pick} meta l4proto {{ tcp, udp, sctp }} dnat ip to"
    if policy.startswith("node_"):
        return f"{ported} meta l4proto . th dport . meta mark map @node_endpoints"
    return f"{ported} ip daddr . meta l4proto . th dport . meta mark map @endpoints"


def _definition_commands(old: ServiceRules, new: ServiceRules) -> list[str]:
    commands = [
        f"add set ip {TABLE} {name} {{ {definition} }}"
        for name, definition in new.sets.items()
        if old.sets.get(name) != definition
    ]
    changed = {name: rules for name, rules in new.chains.items() if old.chains.get(name) != rules}
    # Every chain first: a chain's rules may go to any other.
    commands += [f"add chain ip {TABLE} {name}" for name in changed]
    for name, rules in changed.items():
        commands += _chain_commands(name, rules)
    return commands


def _leftover_commands(old: ServiceRules, new: ServiceRules) -> list[str]:
    chains = [name for name in old.chains if name not in new.chains]
    return [
        *(f"flush chain ip {TABLE} {name}" for name in chains),
        *(f"delete chain ip {TABLE} {name}" for name in chains),
        *(f"delete set ip {TABLE} {name}" for name in old.sets if name not in new.sets),
    ]


def _chain_commands(name: str, rules: Iterable[str]) -> list[str]:
    return [
        f"add chain ip {TABLE} {name}",
        f"flush chain ip {TABLE} {name}",
        *(f"add rule ip {TABLE} {name} {rule}" for rule in rules),
    ]


async def run(commands: str) -> None:
    """Run one transaction in this process's network namespace. Raises NftError."""
    process = await asyncio.create_subprocess_exec(
        "nft",
        "-f",
        "-",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(APPLY_TIMEOUT_S):
            _, errors = await process.communicate(commands.encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        raise NftError(f"nft did not answer within {APPLY_TIMEOUT_S:.0f} s") from None
    if process.returncode:
        raise NftError(errors.decode(errors="replace").strip())
