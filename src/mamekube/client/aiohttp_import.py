"""aiohttp, imported without the machine's bundle of certificate authorities.

Importing aiohttp builds a TLS context for sites on the Internet, from the machine's bundle: two thirds of the time
that the import takes, at every start of every program here. Nothing here uses that context: every connection brings
its own (`tls.client_context`), so while aiohttp is imported the bundle is not read.
"""

from __future__ import annotations

import ssl
from typing import Any


def _skip(context: ssl.SSLContext, purpose: Any = None) -> None:
    """In place of SSLContext.load_default_certs."""


_load_default_certs = ssl.SSLContext.load_default_certs
ssl.SSLContext.load_default_certs = _skip  # type: ignore[method-assign,assignment]
try:
    import aiohttp
finally:
    ssl.SSLContext.load_default_certs = _load_default_certs  # type: ignore[method-assign]

__all__ = ["aiohttp"]
