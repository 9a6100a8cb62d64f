"""kubectl get: tables as the server lays them out, or objects in a format; once, or as they change."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from mamekube.kubectl import gotemplate, tabs
from mamekube.kubectl.failures import Failure, during
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.output import OUTPUT_FLAGS, chosen_format, printer
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import SELECTION_FLAGS, Target, kind_name, resolve, selection_query
from mamekube.kubectl.transport import TABLE_ACCEPT, refusal
from mamekube.objects.meta import labels_of, metadata, namespace_of

FLAGS = (
    *SELECTION_FLAGS,
    *OUTPUT_FLAGS,
    Flag("watch", "bool", short="w"),
    Flag("watch-only", "bool"),
    Flag("no-headers", "bool"),
    Flag("show-labels", "bool"),
    Flag("label-columns", "list", short="L"),
    Flag("show-kind", "bool"),
    Flag("sort-by"),
    Flag("ignore-not-found", "bool"),
    Flag("show-managed-fields", "bool"),
    Flag("chunk-size", "int"),
    Flag("subresource"),
    Flag("raw"),
)
USAGE = (
    'You must specify the type of resource to get. Use "kubectl api-resources" for a complete list of supported '
    "resources.\n\nerror: Required resource not specified.\n"
    'Use "kubectl explain <resource>" for a detailed description of that resource (e.g. kubectl explain pods).\n'
    "See 'kubectl get -h' for help and examples"
)


def run(session: Session) -> int:
    if session.flag("raw"):
        if session.words:
            raise Failure("error: arguments may not be passed when --raw is specified")
        answer = session.api.request("GET", session.flag("raw"), escaped=True)
        if answer.code >= 400:
            raise refusal(answer)
        session.out.write(answer.body.decode(errors="replace"))
        return 0
    output = chosen_format(session)
    if session.flag("show-labels") and output not in ("", "wide"):
        raise Failure(f"error: --show-labels option cannot be used with {output} printer")
    targets = resolve(session, session.words, usage=USAGE)
    if session.flag("watch") or session.flag("watch-only"):
        return _watch(session, targets, output)
    if output in ("", "wide"):
        return _tables(session, targets, output)
    return _objects(session, targets, output)


# Tables -----------------------------------------------------------------------------------------------


def _tables(session: Session, targets: Sequence[Target], output: str) -> int:
    """One table for each resource, with a blank line between; names carry their kind where there are several."""
    by_type: dict[int, list[Target]] = {}
    for target in targets:
        by_type.setdefault(id(target.found), []).append(target)
    several = len(by_type) > 1 or bool(session.flag("show-kind"))
    printed = 0
    failures: list[Failure] = []
    for group in by_type.values():
        rows: list[list[str]] = []
        for target in group:
            try:
                table = _fetch_table(session, target)
            except Failure as failure:
                if not (session.flag("ignore-not-found") and "(NotFound)" in failure.text):
                    failures.append(failure)
                continue
            lines = layout(session, target, table, output, with_kind=several)
            rows += lines if not rows else lines[1:]
        if len(rows) > 1:
            if printed and not session.flag("no-headers"):
                session.print()
            session.out.write(tabs.table(rows[1:] if session.flag("no-headers") else rows))
            printed += 1
    for refused in failures:
        session.warn(refused.text)
    if not printed and not failures and not session.flag("ignore-not-found"):
        namespaced = any(target.found.resource.namespaced for target in targets)
        within = namespaced and not session.flag("all-namespaces")
        session.warn(
            f"No resources found in {session.namespace} namespace." if within else "No resources found"
        )
    return 1 if failures else 0


def _fetch_table(session: Session, target: Target) -> Any:
    path = f"{target.path}/{session.flag('subresource')}" if session.flag("subresource") else target.path
    query = {"limit": session.flag("chunk-size", 500)} if not target.name else {}
    query |= selection_query(session) if not target.name else {}
    query |= {"includeObject": "Object"} if session.flag("sort-by") else {}
    table = _listed(session, target, path, query, TABLE_ACCEPT)
    while not target.name and (token := table.get("metadata", {}).get("continue")):
        part = session.api.get(path, query={**query, "continue": token}, accept=TABLE_ACCEPT)
        table = {
            **part,
            "columnDefinitions": table["columnDefinitions"],
            "rows": table["rows"] + part["rows"],
        }
    return table


def _listed(session: Session, target: Target, path: str, query: dict[str, Any], accept: str) -> Any:
    """What the server answers; where it refuses a list, it is said of what."""
    try:
        return session.api.get(path, query=query, accept=accept)
    except Failure as failure:
        if target.name or failure.reason not in ("BadRequest", "NotFound"):
            raise
        resource = target.found.resource
        doing = f'Unable to list "{resource.api_version}, Resource={resource.plural}"'
        if not resource.group:
            doing = doing.replace('"', '"/', 1)
        labels, fields = (session.flag(flag) or "" for flag in ("selector", "field-selector"))
        if labels or fields:
            chosen = f"that match label selector {json.dumps(labels)}, field selector {json.dumps(fields)}"
            doing = f"{doing.replace('list', 'find', 1)} {chosen}"
        raise during(failure, doing) from None


def layout(
    session: Session, target: Target, table: Any, output: str, *, with_kind: bool = False
) -> list[list[str]]:
    """A header and rows of text out of a server's Table."""
    definitions = table.get("columnDefinitions", ())
    shown = [
        index for index, column in enumerate(definitions) if not column.get("priority") or output == "wide"
    ]
    across = bool(session.flag("all-namespaces")) and target.found.resource.namespaced
    labels = session.flag("label-columns", [])
    header = [definitions[index]["name"].upper() for index in shown]
    header = (["NAMESPACE"] if across else []) + header + [label.split("/")[-1].upper() for label in labels]
    header += ["LABELS"] if session.flag("show-labels") else []
    rows = [header]
    for row in _sorted(session, table.get("rows") or ()):
        obj = row.get("object") or {}
        cells = [cell_text(row["cells"][index]) for index in shown]
        if with_kind and cells:
            cells[0] = f"{kind_name(target.found)}/{cells[0]}"
        cells = ([namespace_of(obj)] if across else []) + cells
        cells += [labels_of(obj).get(label, "") for label in labels]
        if session.flag("show-labels"):
            pairs = ",".join(sorted(f"{key}={value}" for key, value in labels_of(obj).items()))
            cells.append(pairs or "<none>")
        rows.append(cells)
    return rows


_LINE_END = re.compile("[\f\n\r]")
_ESCAPES = str.maketrans({"\x1b": "^[", "\r": "\\r"})


def cell_text(cell: Any) -> str:
    """As it stands in a column: the first line of it, and nothing that a terminal would obey."""
    if cell is None:
        return ""
    if not isinstance(cell, str):
        return gotemplate.printed(cell).translate(_ESCAPES)
    line = _LINE_END.split(cell, maxsplit=1)
    return line[0].translate(_ESCAPES) + ("..." if len(line) > 1 else "")


def _sorted(session: Session, rows: Iterable[Any]) -> list[Any]:
    path = session.flag("sort-by")
    if not path:
        return list(rows)
    return sorted(rows, key=lambda row: _sort_key(path, row.get("object") or {}))


def _sort_key(path: str, obj: Any) -> tuple[int, Any]:
    from mamekube.objects import jsonpath

    try:
        found = jsonpath.find(path, obj)
    except jsonpath.JSONPathError as error:
        raise Failure(f"error: {error}") from None
    if not found:
        return (0, "")
    value = found[0]
    return (1, value) if isinstance(value, (int, float)) else (2, str(value))


# Objects ----------------------------------------------------------------------------------------------


def _objects(session: Session, targets: Sequence[Target], output: str) -> int:
    show = printer(session, output)
    found: list[Any] = []
    failures: list[Failure] = []
    for target in targets:
        path = f"{target.path}/{session.flag('subresource')}" if session.flag("subresource") else target.path
        try:
            query = {} if target.name else selection_query(session)
            answer = _listed(session, target, path, query, "application/json")
        except Failure as failure:
            if not (session.flag("ignore-not-found") and "(NotFound)" in failure.text):
                failures.append(failure)
            continue
        if target.name:
            found.append(answer)
        else:
            resource = target.found.resource
            found += [
                {"apiVersion": resource.api_version, "kind": resource.kind, **item}
                for item in answer["items"]
            ]
    if session.flag("sort-by"):
        found.sort(key=lambda obj: _sort_key(session.flag("sort-by"), obj))
    single = len(targets) == 1 and bool(targets[0].name)
    if output == "name" or (single and found):
        for obj in found:
            session.out.write(show(obj))
    elif not single and (found or not session.flag("ignore-not-found")):
        whole = {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": found}
        session.out.write(show(whole))
    for refused in failures:
        session.warn(refused.text)
    return 1 if failures else 0


# Watches ----------------------------------------------------------------------------------------------


def _watch(session: Session, targets: Sequence[Target], output: str) -> int:
    """Print what there is, then every change, until the server or the user ends it."""
    if len({id(target.found) for target in targets}) > 1 or len(targets) > 1:
        raise Failure("error: you may only specify a single resource type")
    target = targets[0]
    query: dict[str, Any] = selection_query(session)
    if target.name:
        query["fieldSelector"] = f"metadata.name={target.name}"
    collection = Target(target.found, target.namespace)
    tabular = output in ("", "wide")
    accept = TABLE_ACCEPT if tabular else "application/json"
    listed = session.api.get(collection.path, query=query, accept=accept)
    if target.name and not (listed.get("rows") if tabular else listed.get("items")):
        session.api.get(target.path)
    view = _View(session, target, output)
    if not session.flag("watch-only"):
        view.show_list(listed)
    query |= {"watch": "true", "resourceVersion": metadata(listed).get("resourceVersion", "")}
    for event in session.api.lines(collection.path, query=query, accept=accept):
        if event["type"] == "ERROR":
            raise Failure(f"error: {event['object'].get('message', 'the watch ended')}")
        if event["type"] != "BOOKMARK":
            view.show(event["object"])
    return 0


class _View:
    """Prints rows as they come; columns keep the width of what was printed first."""

    def __init__(self, session: Session, target: Target, output: str) -> None:
        self._session = session
        self._target = target
        self._output = output
        self._tabular = output in ("", "wide")
        self._show = None if self._tabular else printer(session, output)
        self._definitions: Any = None
        self._headed = bool(session.flag("no-headers"))
        self._widths: list[int] = []

    def show_list(self, listed: Any) -> None:
        if self._tabular:
            self.show(listed)
        else:
            for item in listed.get("items", ()):
                resource = self._target.found.resource
                self.show({"apiVersion": resource.api_version, "kind": resource.kind, **item})

    def show(self, obj: Any) -> None:
        if self._show is not None:
            self._session.out.write(self._show(obj))
        else:
            self._show_rows(obj)
        self._session.out.flush()

    def _show_rows(self, table: Any) -> None:
        self._definitions = table.get("columnDefinitions") or self._definitions
        if not table.get("rows"):
            return
        whole = {**table, "columnDefinitions": self._definitions}
        header, *rows = layout(self._session, self._target, whole, self._output)
        lines = rows if self._headed else [header, *rows]
        self._headed = True
        if not self._widths:
            self._widths = [max(6, *(len(line[index]) + 3 for line in lines)) for index in range(len(header))]
        for line in lines:
            padded = [
                cell.ljust(width) if len(cell) < width else f"{cell}   "
                for cell, width in zip(line[:-1], self._widths, strict=False)
            ]
            self._session.print("".join(padded) + line[-1])
