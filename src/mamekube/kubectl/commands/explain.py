"""kubectl explain: what a kind and its fields mean, out of the server's OpenAPI v3 documents."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mamekube.kubectl.discovery import Found
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session

FLAGS = (Flag("api-version"), Flag("output", short="o"), Flag("recursive", "bool"))
WIDTH = 80
ENUM_SHOWN_MAX = 4
Schema = Mapping[str, Any]


def run(session: Session) -> int:
    if not session.words:
        raise Failure(
            'error: You must specify the type of resource to explain. Use "kubectl api-resources" for a complete '
            "list of supported resources."
        )
    if len(session.words) > 1:
        raise Failure("error: We accept only this format: explain RESOURCE")
    if session.flag("output", "plaintext") != "plaintext":
        raise Failure(f"error: unrecognized format: {session.flag('output')}")
    found, path = _asked(session, session.words[0])
    resource = found.resource
    root = f"apis/{resource.group}" if resource.group else "api"
    document = session.api.get(f"/openapi/v3/{root}/{resource.version}")
    page = _Page(document, recursive=bool(session.flag("recursive")))
    schema = page.find(found)
    group = f"GROUP:      {resource.group}\n" if resource.group else ""
    session.out.write(f"{group}KIND:       {resource.kind}\nVERSION:    {resource.version}\n\n")
    session.print(page.text(schema, path))
    return 0


def _asked(session: Session, word: str) -> tuple[Found, list[str]]:
    """The resource that a word begins with, and the fields that follow it."""
    name, *fields = word.rstrip(".").split(".")
    try:
        found = session.discovery.find(name)
    except Failure:
        # Only with its group is a name of several groups somebody's own.
        try:
            found, fields = session.discovery.find(word), []
        except Failure:
            # This one time upstream does not call it an error.
            raise Failure(f'the server doesn\'t have a resource type "{name}"') from None
    for candidate in session.discovery.preferred():
        whole = candidate.resource.group_resource
        if candidate.resource.group and (word == whole or word.startswith(f"{whole}.")):
            found, fields = candidate, [part for part in word[len(whole) :].split(".") if part]
    version = session.flag("api-version")
    if not version:
        return found, fields
    for candidate in session.discovery.all():
        if candidate.resource.api_version == version and candidate.resource.plural == found.resource.plural:
            return candidate, fields
    raise Failure(f'error: couldn\'t find resource for "{version}, Resource={found.resource.plural}"')


class _Page:
    """The text about one kind or field of a document."""

    def __init__(self, document: Mapping[str, Any], *, recursive: bool) -> None:
        self._schemas: Mapping[str, Schema] = (document.get("components") or {}).get("schemas") or {}
        self._recursive = recursive

    def find(self, found: Found) -> Schema:
        """The schema of a kind. Raises Failure."""
        resource = found.resource
        wanted = {"group": resource.group, "kind": resource.kind, "version": resource.version}
        for schema in self._schemas.values():
            if wanted in (schema.get("x-kubernetes-group-version-kind") or ()):
                return schema
        raise Failure(
            f"error: GVR ({resource.group}/{resource.version}, Resource={resource.plural}) not found in OpenAPI schema"
        )

    def text(self, schema: Schema, path: Sequence[str]) -> str:
        """What the field at the end of the path means. Raises Failure where there is none."""
        body = self._about(schema, path, frozenset())
        if not body:
            raise Failure(f'error: field "{path[-1]}" does not exist')
        return body

    def _about(self, schema: Schema, path: Sequence[str], seen: frozenset[str]) -> str:
        """Follow the path to its end and tell of what is there; empty where it leads nowhere."""
        resolved, reference = self._resolve(schema)
        if not path:
            return self._described(resolved)
        if reference and reference in seen:
            return ""
        inner = (resolved.get("properties") or {}).get(path[0])
        if inner is not None:
            head = ""
            if len(path) == 1:
                head = f"FIELD: {path[0]} <{self._type(inner)}>\n{_enum_list(inner)}\n\n"
            return head + self._about(inner, path[1:], frozenset())
        seen |= {reference}
        for nested in self._nested(resolved):
            if text := self._about(nested, path, seen):
                return text
        return ""

    def _described(self, schema: Schema) -> str:
        words = "".join(self._descriptions(schema)) or "<empty>"
        fields = "".join(self._fields(schema, 1, frozenset()))
        return (
            f"DESCRIPTION:\n{_indented(wrapped(words, WIDTH - 4), 4)}\n"
            + _external(schema, 0)
            + (f"FIELDS:\n{fields}" if fields else "")
        )

    def _descriptions(self, schema: Schema) -> Iterator[str]:
        resolved, _ = self._resolve(schema)
        if resolved.get("description"):
            yield f"{resolved['description']}\n"
        for nested in (*(resolved.get("allOf") or ()), *_elements(resolved)):
            yield from self._descriptions(nested)

    def _fields(self, schema: Schema, level: int, seen: frozenset[str]) -> Iterator[str]:
        resolved, reference = self._resolve(schema)
        if reference and reference in seen:
            return
        seen |= {reference}
        for name, field in sorted((resolved.get("properties") or {}).items()):
            yield self._field(resolved, name, field, level)
            if self._recursive:
                yield from self._fields(field, level + 1, seen)
        for nested in self._nested(resolved):
            yield from self._fields(nested, level, seen)

    def _field(self, parent: Schema, name: str, field: Schema, level: int) -> str:
        indent = 2 * level
        required = " -required-" if name in (parent.get("required") or ()) else ""
        line = f"{' ' * indent}{name}\t<{self._type(field)}>{required}{_enum_line(field, indent)}\n"
        if self._recursive:
            return line
        words = wrapped(field.get("description") or "<no description>", WIDTH - 2 - indent)
        return f"{line}{_indented(words, indent + 2)}\n{_external(field, indent + 2)}\n"

    def _type(self, schema: Schema) -> str:
        if schema.get("items"):
            return f"[]{self._type(schema['items'])}"
        if isinstance(schema.get("additionalProperties"), Mapping):
            return f"map[string]{self._type(schema['additionalProperties'])}"
        if len(schema.get("allOf") or ()) == 1 and not schema.get("properties"):
            return self._type(schema["allOf"][0])
        resolved, reference = self._resolve(schema)
        kind = resolved.get("type")
        if reference and kind in (None, "object"):
            return reference.rpartition("/")[2].rpartition(".")[2] or "Object"
        return "Object" if kind in (None, "object") else str(kind)

    def _resolve(self, schema: Schema) -> tuple[Schema, str]:
        """What a reference stands for, and the reference."""
        reference = schema.get("$ref") or ""
        return self._schemas.get(reference.rpartition("/")[2]) or schema, reference

    @staticmethod
    def _nested(schema: Schema) -> Iterator[Schema]:
        """The schemas whose fields are those of this one."""
        yield from schema.get("allOf") or ()
        yield from _elements(schema)


def _elements(schema: Schema) -> Iterator[Schema]:
    if schema.get("items"):
        yield schema["items"]
    if isinstance(schema.get("additionalProperties"), Mapping):
        yield schema["additionalProperties"]


def _enum_line(schema: Schema, indent: int) -> str:
    values = schema.get("enum")
    if not values:
        return ""
    more = ", ...." if len(values) > ENUM_SHOWN_MAX else ""
    return f"\n{' ' * indent}enum: {', '.join(map(_shown, values[:ENUM_SHOWN_MAX]))}{more}"


def _enum_list(schema: Schema) -> str:
    values = schema.get("enum")
    return "ENUM:" + "".join(f"\n    {_shown(value)}" for value in values) if values else ""


def _shown(value: Any) -> str:
    return '""' if value == "" else str(value)


def _external(schema: Schema, indent: int) -> str:
    pages = schema.get("externalDocs")
    if not pages:
        return ""
    lines = [_indented("EXTERNAL DOCS:", indent)]
    if pages.get("description"):
        lines.append(_indented(wrapped(pages["description"], WIDTH - 4 - indent), indent + 4))
    if pages.get("url"):
        lines.append(_indented(f"URL: {pages['url']}", indent + 4))
    return "\n" + "\n".join(lines) + "\n"


def _indented(text: str, indent: int) -> str:
    blanks = " " * indent
    return blanks + text.replace("\n", f"\n{blanks}")


def wrapped(text: str, width: int) -> str:
    """The text in lines of no more than `width`; a longer word has a line of its own."""
    return "\n".join(_wrapped_line(line, width) for line in text.split("\n"))


def _wrapped_line(text: str, width: int) -> str:
    lines: list[str] = []
    line, blanks = "", ""
    for piece in re.findall(r"\s+|\S+", text):
        if piece.isspace():
            blanks = piece
            continue
        room = width - len(line) - len(blanks)
        if len(piece) > room and room + 1 < width:
            lines.append(line)
            line = piece
        else:
            line += blanks + piece
        blanks = ""
    return "\n".join([*lines, line + (blanks if len(line) + len(blanks) <= width else "")])
