"""Which form of an answer the client wants: the Accept header, read once per distinct text."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from mamekube.apiserver.codec import JSON, YAML
from mamekube.objects.status import not_acceptable

META_GROUP = "meta.k8s.io"
META_VERSIONS = ("v1", "v1beta1")
TABLE = "Table"
PARTIAL = "PartialObjectMetadata"
PARTIAL_LIST = "PartialObjectMetadataList"
OFFERED = (JSON, YAML)


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


@lru_cache(maxsize=256)
def forms(accept: str) -> tuple[Form, ...]:
    """Every form that `accept` lists and the server may know, best first. Forms that it cannot write are left out."""
    if not accept:
        return (PLAIN,)
    found: list[tuple[float, int, Form]] = []
    for position, clause in enumerate(accept.split(",")):
        media, *parameters = [part.strip() for part in clause.split(";")]
        pairs = dict(pair.partition("=")[::2] for pair in parameters)
        media_type = _media_type(media)
        if media_type is None:
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
        found.append((-quality, position, form))
    return tuple(form for _, _, form in sorted(found, key=lambda entry: entry[:2]))


def _media_type(media: str) -> str | None:
    if media in ("*/*", "application/*", JSON):
        return JSON
    if media in (YAML, "application/x-yaml", "text/yaml"):
        return YAML
    return None


def object_form(accept: str, *, collection: bool, tabular: bool = True) -> Form:
    """The form for an object (or a collection): itself, a Table if it has one, its metadata only. Raises 406."""
    for form in forms(accept):
        if not form.as_kind:
            return form
        if form.group != META_GROUP or form.version not in META_VERSIONS:
            continue
        if (form.as_kind == TABLE and tabular) or form.as_kind == (PARTIAL_LIST if collection else PARTIAL):
            return form
    raise not_acceptable((*OFFERED, "application/vnd.kubernetes.protobuf"))


def watch_form(accept: str) -> Form:
    """The form of the objects in a watch. Raises 406."""
    accept = accept.replace(";stream=watch", "")
    return object_form(accept, collection=False)
