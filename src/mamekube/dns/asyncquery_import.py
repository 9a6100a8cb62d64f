"""dnspython's queries, imported without what asks over HTTPS or QUIC.

Where HTTPX is installed for whatever reason, `dns.query` imports it, and with it all of HTTP/2: a quarter of the
time that the node process' imports take, and 4.6 MB. Questions are forwarded over UDP and TCP here.
"""

from __future__ import annotations

from dns import _features

for _feature in ("doh", "doq"):
    _features.force(_feature, False)

import dns.asyncquery as asyncquery  # noqa: E402  what it imports depends on the features

__all__ = ["asyncquery"]
