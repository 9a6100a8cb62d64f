"""What a profile changes in the host's network: one bridge, one nftables table, and routes on that bridge.

The host forwards packets only so that nodes reach the outside; where forwarding was off, it is switched on with
the first start, and off again with the last profile.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from mamekube.cluster import profiles
from mamekube.cluster.failures import NETWORK_ERROR, Failure
from mamekube.cluster.profiles import Profile

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


def table_name(profile: Profile) -> str:
    return f"mamekube-{profiles.scope(profile.name)}"


def create(profile: Profile) -> None:
    """Make the bridge and the table; both may be there already."""
    if not _link_exists(profile.bridge):
        _run(
            ["ip", "-batch", "-"],
            f"link add {profile.bridge} type bridge\n"
            f"address add {profile.gateway}/24 dev {profile.bridge}\n"
            f"link set {profile.bridge} up\n",
        )
    _run(["nft", "-f", "-"], _table(profile))
    if FORWARDING.read_text().strip() == "0":
        FORWARDING.write_text("1")
        profiles.forwarding_mark().touch()


def add_routes(profile: Profile) -> None:
    """Reach pods from the host, as the API server's proxy must. Another cluster's route to a network stays."""
    lines = [
        f"route append {node.pod_cidr} via {profile.address(node)} dev {profile.bridge} metric {profile.subnet}"
        for node in profile.nodes
    ]
    subprocess.run(["ip", "-force", "-batch", "-"], input="\n".join(lines), text=True, capture_output=True)


def remove_link(name: str) -> None:
    """Remove a link that a node left behind; the kernel removes it by itself, but in its own time."""
    if _link_exists(name):
        subprocess.run(["ip", "link", "delete", name], capture_output=True)


def remove(profile: Profile) -> None:
    """Undo all of it; what is not there is no error."""
    for node in profile.nodes:
        remove_link(profile.link(node))
    remove_link(profile.bridge)
    subprocess.run(["nft", "delete", "table", "ip", table_name(profile)], capture_output=True)
    if profiles.forwarding_mark().exists() and profiles.names() == [profile.name]:
        FORWARDING.write_text("0")


def _table(profile: Profile) -> str:
    """The table's text: made, emptied and filled in one transaction."""
    name = table_name(profile)
    return f"""\
table ip {name}
delete table ip {name}
table ip {name} {{
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr 192.168.{profile.subnet}.0/24 oifname != "{profile.bridge}" masquerade
    }}
}}
"""


def _link_exists(name: str) -> bool:
    return Path("/sys/class/net", name).exists()


def _run(arguments: list[str], text: str) -> None:
    done = subprocess.run(arguments, input=text, text=True, capture_output=True)
    if done.returncode != 0:
        reason = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        raise Failure(
            NETWORK_ERROR, f'"{" ".join(arguments)}" failed: {reason}', advice="Does the kernel have it?"
        )
