"""Descriptions of every other kind: its metadata, then its fields by name, as kubectl does for custom resources."""

from __future__ import annotations

import re
from typing import Any

from mamekube.kubectl.describe.writer import Writer
from mamekube.objects.meta import Object, annotations_of, labels_of, metadata, name_of, namespace_of

SHOWN_ALREADY = {"name", "namespace", "labels", "annotations", "managedFields"}


def describe_config_map(writer: Writer, config_map: Object) -> None:
    _heading(writer, config_map)
    writer.line(0)
    writer.line(0, "Data")
    writer.line(0, "====")
    for key, value in sorted((config_map.get("data") or {}).items()):
        writer.line(0, f"{key}:\n----\n{value}\n")
    writer.line(0)
    writer.line(0, "BinaryData")
    writer.line(0, "====")
    for key, value in sorted((config_map.get("binaryData") or {}).items()):
        writer.line(0, f"{key}: {len(value) * 3 // 4} bytes")
    writer.line(0)


def describe_secret(writer: Writer, secret: Object) -> None:
    _heading(writer, secret)
    writer.line(0)
    writer.line(0, f"Type:\t{secret.get('type', '')}")
    writer.line(0)
    writer.line(0, "Data")
    writer.line(0, "====")
    import base64

    for key, value in sorted((secret.get("data") or {}).items()):
        writer.line(0, f"{key}:\t{len(base64.b64decode(value))} bytes")


def describe_namespace(writer: Writer, namespace: Object) -> None:
    writer.line(0, f"Name:\t{name_of(namespace)}")
    writer.mapping("Labels", labels_of(namespace))
    writer.annotations("Annotations", annotations_of(namespace))
    writer.line(0, f"Status:\t{(namespace.get('status') or {}).get('phase', '')}")
    writer.line(0)
    writer.line(0, "No resource quota.")
    writer.line(0)
    writer.line(0, "No LimitRange resource.")


def describe_any(writer: Writer, obj: Object) -> None:
    _heading(writer, obj)
    writer.line(0, f"API Version:\t{obj.get('apiVersion', '')}")
    writer.line(0, f"Kind:\t{obj.get('kind', '')}")
    writer.line(0, "Metadata:")
    for key, value in sorted(metadata(obj).items()):
        if key not in SHOWN_ALREADY:
            _field(writer, 1, key, value)
    for key, value in sorted(obj.items()):
        if key not in ("apiVersion", "kind", "metadata"):
            _field(writer, 0, key, value)


def _heading(writer: Writer, obj: Object) -> None:
    writer.line(0, f"Name:\t{name_of(obj)}")
    writer.line(0, f"Namespace:\t{namespace_of(obj)}")
    writer.mapping("Labels", labels_of(obj))
    writer.annotations("Annotations", annotations_of(obj))


def _field(writer: Writer, level: int, key: str, value: Any) -> None:
    label = words_of(key)
    if isinstance(value, dict):
        writer.line(level, f"{label}:")
        for inner, inner_value in sorted(value.items()):
            _field(writer, level + 1, inner, inner_value)
    elif isinstance(value, list):
        writer.line(level, f"{label}:")
        for entry in value:
            if isinstance(entry, dict):
                for inner, inner_value in sorted(entry.items()):
                    _field(writer, level + 1, inner, inner_value)
            else:
                writer.line(level + 1, str(entry))
    else:
        text = "<nil>" if value is None else str(value).lower() if isinstance(value, bool) else value
        writer.line(level, f"{label}:\t{text}")


def words_of(key: str) -> str:
    """`observedGeneration` -> `Observed Generation`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", key)
    return " ".join(word[:1].upper() + word[1:] for word in spaced.split(" "))
