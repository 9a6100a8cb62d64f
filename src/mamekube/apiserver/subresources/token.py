"""`serviceaccounts/token`: a token for the service account, bound to what the request names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mamekube.apiserver.bodies import TOKEN_REQUEST
from mamekube.apiserver.documents import Answer, Made
from mamekube.apiserver.options import parse_write
from mamekube.apiserver.request import Request
from mamekube.apiserver.writes import CREATE, Write
from mamekube.kinds.kind import Kind

if TYPE_CHECKING:
    from mamekube.apiserver.api import Api, Payload


async def serve(api: Api, request: Request, kind: Kind, payload: Payload) -> Answer:
    """POST of a TokenRequest."""
    options = parse_write(request, "CreateOptions")
    body = await api.decode(request, TOKEN_REQUEST, payload, options.field_validation)
    write = Write(
        operation=CREATE,
        kind=kind,
        subresource="token",
        namespace=request.namespace,
        name=request.name,
        object=body,
        user=request.user,
        warnings=request.warnings,
    )
    await api.admission.mutate(write)
    await api.admission.validate(write)
    body = write.object or body
    return Answer(Made(await api.tokens.request(body, namespace=request.namespace, name=request.name)), 201)
