"""The formats of -o for objects: json, yaml, name, jsonpath, go-template, custom-columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from mamekube.kubectl import gotemplate, goyaml, tabs
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.objects import jsonpath
from mamekube.objects.meta import Object, name_of

FORMATS = (
    "custom-columns,custom-columns-file,go-template,go-template-file,json,jsonpath,jsonpath-as-json,jsonpath-file,"
    "name,template,templatefile,wide,yaml"
)


OUTPUT_FLAGS = (Flag("output", short="o"), Flag("template"))


def chosen_format(session: Session) -> str:
    """What `-o` says; a template without it is a Go template."""
    return str(session.flag("output", "go-template" if session.flag("template") else ""))


def printer(session: Session, format_text: str) -> Callable[[Any], str]:
    """A function from an object (or a List) to text. Raises Failure for a format that does not exist."""
    name, _, argument = format_text.partition("=")
    argument = argument or session.flag("template", "")
    if not argument and name in ("go-template", "template", "jsonpath", "jsonpath-as-json"):
        raise Failure("error: template format specified but no template given")
    if not argument and name == "custom-columns":
        raise Failure("error: custom-columns format specified but no custom columns given")
    if name.endswith("-file") or name == "templatefile":
        name, argument = name.removesuffix("-file").removesuffix("file"), session.read_input(argument)
    hide = not session.flag("show-managed-fields")
    match name:
        case "json":
            return lambda obj: json_text(visible(obj, hide))
        case "yaml":
            return lambda obj: goyaml.dump(visible(obj, hide))
        case "name":
            return _names
        case "jsonpath":
            return lambda obj: _jsonpath(argument, obj)
        case "jsonpath-as-json":
            return lambda obj: _jsonpath_as_json(argument, obj)
        case "go-template" | "template":
            return lambda obj: _go_template(argument, obj)
        case "custom-columns":
            return lambda obj: _custom_columns(argument, obj, not session.flag("no-headers"))
    raise Failure(
        f'error: unable to match a printer suitable for the output format "{name}", allowed formats are: {FORMATS}'
    )


def visible(obj: Any, hide_managed_fields: bool) -> Any:
    """The object as it is shown: without managedFields, unless they were asked for."""
    if not hide_managed_fields or not isinstance(obj, dict):
        return obj
    if "items" in obj and isinstance(obj["items"], list):
        obj = {**obj, "items": [visible(item, True) for item in obj["items"]]}
    metadata = obj.get("metadata")
    if isinstance(metadata, dict) and "managedFields" in metadata:
        kept = {key: value for key, value in metadata.items() if key != "managedFields"}
        obj = {**obj, "metadata": kept}
    return obj


def json_text(obj: Any, *, indent: int | None = 4) -> str:
    """JSON as Go's library writes it."""
    separators = (",", ":") if indent is None else None
    text = json.dumps(obj, indent=indent, separators=separators, sort_keys=True, ensure_ascii=False)
    return text.translate(jsonpath.GO_ESCAPES) + "\n"


def items_of(obj: Any) -> Sequence[Object]:
    return (
        obj["items"] if isinstance(obj.get("items"), list) and obj.get("kind", "").endswith("List") else [obj]
    )


def _names(obj: Any) -> str:
    lines = []
    for item in items_of(obj):
        group = item.get("apiVersion", "").rpartition("/")[0]
        kind = item.get("kind", "").lower()
        lines.append(f"{kind}.{group}/{name_of(item)}\n" if group else f"{kind}/{name_of(item)}\n")
    return "".join(lines)


def _jsonpath(template: str, obj: Any) -> str:
    whole = jsonpath.relaxed(template) if "{" not in template else template
    try:
        jsonpath.parse(whole)
    except jsonpath.JSONPathError as error:
        raise Failure(f"error: error parsing jsonpath {template}, {error}") from None
    try:
        return jsonpath.render(whole, obj)
    except jsonpath.JSONPathError as error:
        raise Failure(
            f'error: error executing jsonpath "{whole}": Error executing template: {error}. Printing more information '
            f"for debugging the template:\n\ttemplate was:\n\t\t{whole}\n\tobject given to jsonpath engine was:\n"
            f"\t\t{_go_syntax(obj)}\n\n"
        ) from None


def _go_syntax(value: Any) -> str:
    """A value as it would stand in a program in Go."""
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key, ensure_ascii=False)}:{_go_syntax(value[key])}" for key in sorted(value))
        return f"map[string]interface {{}}{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[]interface {{}}{{{', '.join(map(_go_syntax, value))}}}"
    if value is None:
        return "interface {}(nil)"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return gotemplate.printed(value)


def _jsonpath_as_json(path: str, obj: Any) -> str:
    try:
        return json_text(jsonpath.find(path, obj))
    except jsonpath.JSONPathError as error:
        raise Failure(f"error: error parsing jsonpath {path}, {error}") from None


def _go_template(template: str, obj: Any) -> str:
    try:
        return gotemplate.render(template, obj)
    except gotemplate.TemplateError as error:
        raise Failure(f'error: error executing template "{template}": {error}') from None


def _custom_columns(specification: str, obj: Any, headers: bool) -> str:
    columns = []
    for part in specification.split(","):
        header, colon, path = part.partition(":")
        if not colon:
            raise Failure(
                f"error: unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>"
            )
        columns.append((header, path))
    rows = [[header for header, _ in columns]] if headers else []
    for item in items_of(obj):
        rows.append([_column_cell(path, item) for _, path in columns])
    return tabs.table(rows)


def _column_cell(path: str, item: Object) -> str:
    try:
        found = jsonpath.find(path, item)
    except jsonpath.JSONPathError as error:
        raise Failure(f"error: {error}") from None
    return ",".join(gotemplate.printed(value) for value in found) or "<none>"
