"""Import aiohttp without what it does at import: reading the machine's whole list of public authorities.

That takes 100 ms, a quarter of a start, for a default that nothing here uses: every connection to the cluster has
its own authority, and whoever calls the outside makes a context for it. Import this module before anything else.
"""

from __future__ import annotations

import os

_NAMES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_saved = {name: os.environ.get(name) for name in _NAMES}
os.environ.update(dict.fromkeys(_NAMES, os.devnull))
try:
    import aiohttp  # noqa: F401
finally:
    for _name, _value in _saved.items():
        if _value is None:
            del os.environ[_name]
        else:
            os.environ[_name] = _value
