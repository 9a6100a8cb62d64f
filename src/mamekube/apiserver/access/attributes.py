"""A question to authorization: who wants to do what, to which resource or path."""

from __future__ import annotations

from typing import NamedTuple

from mamekube.apiserver.request import Request, User


class Attributes(NamedTuple):
    """What authorization looks at. Where `is_resource` is false only `verb` and `path` count."""

    user: User
    verb: str
    is_resource: bool = True
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    field_selector: str = ""

    @classmethod
    def of(cls, request: Request) -> Attributes:
        selector = request.query.get("fieldSelector")
        return cls(
            request.user,
            request.verb,
            request.is_resource,
            request.group,
            request.version,
            request.resource,
            request.subresource,
            request.namespace,
            request.name,
            request.path,
            selector[0] if selector else "",
        )
