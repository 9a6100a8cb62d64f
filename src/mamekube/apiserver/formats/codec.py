"""Bodies in and out: JSON and YAML, with the limits that keep a bad body cheap.

A body is refused for its size before it is read to the end, and for its depth before it is decoded, so that no
recursive function ever sees what it could not finish.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from mamekube.apiserver.formats import dense_json, jsonerrors
from mamekube.foundation.limits import (
    BODY_BYTES_MAX,
    BODY_DEPTH_MAX,
    BODY_VALUES_MAX,
    HEAVY_BYTES,
)
from mamekube.objects.status import StatusError, bad_request, unsupported_media_type

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
BODY_TYPES = (JSON, YAML, PROTOBUF)

SUMMARY_CHARACTERS = 30

YAML_COSTS = 5
"""Times as long to read as JSON."""
HEAVY_YAML_BYTES = HEAVY_BYTES // YAML_COSTS

DENSE_VALUES = 5_000
"""So many that decoding them at once would hold up everybody else."""

_STRING = re.compile(dense_json.STRING, re.DOTALL)


class Undecodable(StatusError):
    """400: the body is no JSON, YAML or protobuf at all. `why` is what the parser says."""

    def __init__(self, why: str, message: str = "") -> None:
        super().__init__(400, "BadRequest", message or why)
        self.why = why


def media_type(header: str) -> str:
    """The type of a Content-Type header, without its parameters."""
    return header.partition(";")[0].strip().lower() if header else JSON


def heavy_bytes(body: bytes, content_type: str) -> int:
    """The size of a body that nobody else should wait for, 0 of others."""
    size = len(body)
    if size > HEAVY_YAML_BYTES and _is_yaml(body, media_type(content_type)):
        return size * YAML_COSTS
    return size if size > HEAVY_BYTES else 0


def _is_yaml(body: bytes, kind: str) -> bool:
    """Only in patches is JSON taken for what it is."""
    return kind == YAML or (kind.endswith("yaml") and body[:1] != b"{")


def decode(body: bytes, content_type: str) -> Any:
    """The JSON value in a body of JSON, YAML or protobuf. Raises 400, 413, 415; the text of a 400 is what is wrong."""
    kind = media_type(content_type)
    if kind == JSON:
        return decode_json(body)
    if kind == YAML:
        return decode_yaml(body)
    if kind == PROTOBUF:
        return decode_protobuf(body)
    raise unsupported_media_type(BODY_TYPES)


def decode_json(body: bytes) -> Any:
    check_size(body)
    values = _values_max(body)
    if values > BODY_VALUES_MAX and _has_too_many(body):
        raise bad_request("json parse error: exceeded max number of values")
    try:
        value = orjson.loads(body) if values <= DENSE_VALUES else dense_json.loads(body)
    except ValueError as error:
        if isinstance(error, dense_json.TooDeep) or str(error).lower().startswith(_ORJSON_TOO_DEEP):
            raise _too_deep() from None
        why = jsonerrors.explain(body) or str(error)
        raise Undecodable(why, f"couldn't get version/kind; json parse error: {why}") from None
    if values > BODY_DEPTH_MAX and count(body, b"{[") > BODY_DEPTH_MAX and _is_deep(value):
        raise _too_deep()
    return value


_ORJSON_TOO_DEEP = ("depth limit exceeded", "recursion limit reached")
"""By version."""


def _too_deep() -> StatusError:
    return bad_request("json parse error: exceeded max depth")


def _is_deep(value: Any) -> bool:
    """Whether it is deeper than it may be. Not by calls within calls: those have their own limit."""
    level = [value]
    for _ in range(BODY_DEPTH_MAX):
        members = (item.values() if type(item) is dict else item for item in level)
        level = [member for item in members for member in item if type(member) in (dict, list)]
        if not level:
            return False
    return True


def loads(text: bytes) -> Any:
    """What orjson makes of it, in pieces where it is dense. Raises ValueError."""
    if len(text) > HEAVY_BYTES and _values_max(text) > DENSE_VALUES:
        return dense_json.loads(text)
    return orjson.loads(text)


def _values_max(body: bytes) -> int:
    return count(body, b"{[,")


def _has_too_many(body: bytes) -> bool:
    """Whether there are more values than there may be, without what looks like it inside of strings."""
    values = at = 0
    while values <= BODY_VALUES_MAX:
        quote = body.find(b'"', at)
        values += _values_max(body[at : quote if quote >= 0 else len(body)])
        string = _STRING.match(body, quote) if quote >= 0 else None
        if string is None:
            return values > BODY_VALUES_MAX
        at = string.end()
    return True


def count(body: bytes, symbols: bytes) -> int:
    """How many of these stand there. A few megabytes are counted a part at a time: others get their turn in between."""
    if len(body) <= HEAVY_BYTES:
        return len(body) - len(body.translate(None, symbols))
    parts = (body[at : at + HEAVY_BYTES] for at in range(0, len(body), HEAVY_BYTES))
    return sum(len(part) - len(part.translate(None, symbols)) for part in parts)


def check_size(body: bytes) -> None:
    if len(body) > BODY_BYTES_MAX:
        raise StatusError(
            413,
            "RequestEntityTooLarge",
            f"Request entity too large: limit is {BODY_BYTES_MAX}",
        )


def decode_yaml(body: bytes) -> Any:
    check_size(body)
    from mamekube.apiserver.formats import yamls

    try:
        return yamls.decode(body, depth_max=BODY_DEPTH_MAX, nodes_max=BODY_VALUES_MAX)
    except yamls.YamlError as error:
        raise Undecodable(str(error)) from None


def decode_protobuf(body: bytes) -> Any:
    check_size(body)
    from mamekube.apiserver.formats import protobuf

    try:
        return protobuf.decode(body)
    except protobuf.ProtobufError as error:
        raise Undecodable(str(error)) from None


def summarize(body: bytes) -> str:
    """The start of a body that could not be understood, as messages show it."""
    if not body:
        return "<empty>"
    if body[:1] in (b"{", b"["):
        text = body[:SUMMARY_CHARACTERS].decode(errors="replace")
    else:
        text = body[:SUMMARY_CHARACTERS].hex()
    return f"{text} ..." if len(body) > SUMMARY_CHARACTERS else text
