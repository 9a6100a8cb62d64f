"""aiohttp, imported without the machine's bundle of certificate authorities.

Importing aiohttp builds two TLS contexts for sites on the Internet, each from the machine's bundle: two thirds of
the time that the import takes, at every start of a node. Nothing here uses them: every connection brings its own
(`tls.client_context`), so while aiohttp is imported OpenSSL is shown an empty bundle.
"""

from __future__ import annotations

import os

_BUNDLE = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_before = {name: os.environ.get(name) for name in _BUNDLE}
os.environ.update(dict.fromkeys(_BUNDLE, os.devnull))
try:
    import aiohttp
finally:
    for _name, _value in _before.items():
        if _value is None:
            del os.environ[_name]
        else:
            os.environ[_name] = _value

__all__ = ["aiohttp"]
