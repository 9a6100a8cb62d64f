"""Which form of an answer the client wants: the Accept header, read once per distinct text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mamekube.apiserver.formats.codec import JSON, PROTOBUF, YAML
from mamekube.foundation.remembering import short_texts
from mamekube.objects.status import StatusError, not_acceptable

META_GROUP = "meta.k8s.io"
META_VERSIONS = ("v1", "v1beta1")
TABLE = "Table"
PARTIAL = "PartialObjectMetadata"
PARTIAL_LIST = "PartialObjectMetadataList"
OFFERED = (JSON, YAML, PROTOBUF)
STREAMED = (JSON, PROTOBUF)
WATCHED = (*OFFERED, *(f"{media_type};stream=watch" for media_type in STREAMED))
"""What a route has that lists and watches go."""


class Form(NamedTuple):
    """How to answer. `as_kind` is Table, PartialObjectMetadata(List), another kind (discovery), or `""`."""

    media_type: str = JSON
    as_kind: str = ""
    group: str = ""
    version: str = ""
    pretty: bool = False

    @property
    def content_type(self) -> str:
        """Of the answer."""
        if not self.as_kind:
            return self.media_type
        return f"{self.media_type};g={self.group};v={self.version};as={self.as_kind}"


PLAIN = Form()
ACCEPT_KEPT_MAX = 1024
"""A longer Accept is read anew each time: anybody may send one, and those that are kept are many."""


@short_texts(maxsize=256, characters_max=ACCEPT_KEPT_MAX)
def forms(accept: str) -> tuple[Form, ...]:
    """Every form that `accept` lists and the server may know, best first. Forms that it cannot write are left out."""
    if not accept:
        return (PLAIN,)
    found: list[tuple[float, int, int, Form]] = []
    for position, clause in enumerate(accept.split(",")):
        media, *parameters = [part.strip() for part in clause.split(";")]
        pairs = dict(pair.partition("=")[::2] for pair in parameters)
        media_type = _media_type(media)
        if media_type is None or pairs.get("sv") or not _streams(media_type, pairs.get("stream", "")):
            continue
        try:
            quality = float(pairs.get("q", "1"))
        except ValueError:
            quality = 1.0
        form = Form(
            media_type,
            pairs.get("as", ""),
            pairs.get("g", ""),
            pairs.get("v", ""),
            pairs.get("pretty") == "1",
        )
        found.append((-quality, media.count("*"), position, form))
    return tuple(form for *_, form in sorted(found, key=lambda entry: entry[:3]))


def _media_type(media: str) -> str | None:
    if media in ("*/*", "application/*", JSON):
        return JSON
    return media if media in (YAML, PROTOBUF) else None


def _streams(media_type: str, schema: str) -> bool:
    """Whether there is a stream of such things; where none is asked for, there need not be one."""
    return not schema or (schema == "watch" and media_type in STREAMED)


def check_routed(accept: str, produced: Sequence[str]) -> None:
    """Raises 406 where `accept` names none of the media types that a route has, as upstream's router does before
    anything else. It looks at no parameters, and knows no wildcard but `*/*`."""
    if not accept:
        return
    for clause in accept.split(","):
        media_type = clause.partition(";")[0].strip()
        if media_type == "*/*" or media_type in produced:
            return
    available = ", ".join(produced)
    message = f"406: Not Acceptable\n\nAvailable representations: {available}"
    raise StatusError(406, "NotAcceptable", message, details={})


@short_texts(maxsize=256, characters_max=ACCEPT_KEPT_MAX)
def check(accept: str, *, routed: bool, streamed: bool) -> None:
    """Raises 406 for what is refused before it is known what the answer will be: nothing is to change, then.
    `routed`: whether it is a kind of upstream's router; `streamed`: whether watches go the same way."""
    if routed:
        check_routed(accept, WATCHED if streamed else OFFERED)
    shapes = [TABLE, PARTIAL, PARTIAL_LIST]
    if not any(form[1:4] == PLAIN[1:4] or _is_meta(form, shapes) for form in forms(accept)):
        raise not_acceptable(OFFERED)


@short_texts(maxsize=256, characters_max=ACCEPT_KEPT_MAX)
def object_form(accept: str, *, collection: bool, tabular: bool = True) -> Form:
    """The form for an object (or a collection): itself, a Table if it has one, its metadata only. Raises 406."""
    shapes = [TABLE] * tabular + [PARTIAL_LIST if collection else PARTIAL]
    acceptable = [form for form in forms(accept) if form[1:4] == PLAIN[1:4] or _is_meta(form, shapes)]
    if not acceptable:
        raise not_acceptable(OFFERED)
    return _cheapest(acceptable)


def _is_meta(form: Form, shapes: list[str]) -> bool:
    if form.media_type == PROTOBUF and form.as_kind == TABLE:
        return False
    return form.group == META_GROUP and form.version in META_VERSIONS and form.as_kind in shapes


def _cheapest(acceptable: Sequence[Form]) -> Form:
    """The first, but JSON for protobuf where both are taken: what the store keeps is JSON."""
    best = acceptable[0]
    if best.media_type == PROTOBUF:
        for form in acceptable:
            if form.media_type == JSON and form[1:4] == best[1:4]:
                return form
    return best


def watch_form(accept: str) -> Form:
    """The form of the objects in a watch. Raises 406."""
    form = object_form(accept.replace(";stream=watch", ""), collection=False)
    if form.media_type not in STREAMED:
        raise not_acceptable([f"{media_type};stream=watch" for media_type in STREAMED])
    return form


def status_form(accept: str) -> Form:
    """The form of a Status that refuses: what else was asked for, and whether there is that, does not matter."""
    acceptable = [form for form in forms(accept.replace(";stream=watch", "")) if not form.as_kind]
    return _cheapest(acceptable) if acceptable else PLAIN
