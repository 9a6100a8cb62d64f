"""The servers of the API's own tests."""

from tests.unit.apiserver.conftest import client, server, web

__all__ = ["client", "server", "web"]
