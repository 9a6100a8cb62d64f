"""What a command works on: `TYPE NAME…`, `TYPE/NAME…`, `TYPE,TYPE`, `-f FILE`, `-l SELECTOR`, `--all`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mamekube.kubectl import goyaml
from mamekube.kubectl.discovery import Found
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session, manifest_paths
from mamekube.objects import gotext, selectors
from mamekube.objects.meta import Object, labels_of, metadata, name_of, namespace_of

FILE_FLAGS = (
    Flag("filename", "list", short="f"),
    Flag("recursive", "bool", short="R"),
)
SELECTION_FLAGS = (
    *FILE_FLAGS,
    Flag("selector", short="l"),
    Flag("field-selector"),
    Flag("all", "bool"),
    Flag("all-namespaces", "bool", short="A"),
)
RESOURCES_NEEDED = (
    "error: You must provide one or more resources by argument or filename.\n"
    "Example resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n"
    "   '<resource> <name>'\n   '<resource>'"
)


@dataclass(slots=True)
class Target:
    """One object (`name`), or all that match (no name), of one resource; `manifest` where a file says what it is."""

    found: Found
    namespace: str
    name: str = ""
    manifest: Object | None = None
    source: str = ""
    """The file that the manifest is from, as messages name it."""

    @property
    def path(self) -> str:
        return self.path_of("")

    def path_of(self, subresource: str) -> str:
        """The path of the object or of a subresource. Raises Failure for a name that a path cannot hold."""
        if not self.name and self.manifest is not None:
            raise Failure("error: resource name may not be empty")
        check_segment(self.name)
        return self.found.resource.path(namespace=self.namespace, name=self.name, subresource=subresource)

    def display(self, name: str = "") -> str:
        """`deployment.apps/web`: how kubectl names an object."""
        return f"{kind_name(self.found)}/{name or self.name}"


def kind_name(found: Found) -> str:
    """`pod`, `deployment.apps`."""
    kind = found.resource.kind.lower()
    return f"{kind}.{found.resource.group}" if found.resource.group else kind


def check_segment(name: str) -> None:
    """Raises Failure for what would be another path than that of one object."""
    problems = [f"may not be '{name}'"] if name in (".", "..") else []
    problems += [f"may not contain '{character}'" for character in "/%" if character in name]
    if problems:
        raise Failure(f"error: invalid resource name {json.dumps(name)}: [{' '.join(problems)}]")


def resolve(session: Session, words: Sequence[str], *, usage: str) -> list[Target]:
    """The targets that words and flags name."""
    if session.flag("all") and session.flag("selector"):
        raise Failure("error: setting 'all' parameter but found a non empty selector. ")
    if session.flag("filename"):
        if words:
            raise Failure(
                "error: when paths, URLs, or stdin is provided as input, you may not specify resource arguments as "
                "well"
            )
        return list(manifest_targets(session))
    if not words:
        raise Failure(usage)
    if "" in words[1:]:
        raise Failure("error: resource name may not be empty")
    if any("/" in word for word in words):
        return [_slashed(session, word) for word in words]
    types = [found for word in words[0].split(",") for found in _types(session, word)]
    namespace = "" if session.flag("all-namespaces") else session.namespace
    if len(words) > 1 and session.flag("all-namespaces"):
        raise Failure("error: a resource cannot be retrieved by name across all namespaces")
    if len(words) > 1 and session.flag("selector"):
        raise Failure("error: name cannot be provided when a selector is specified")
    return [
        Target(found, namespace if found.resource.namespaced else "", name)
        for found in types
        for name in (words[1:] or [""])
    ]


def resolve_named(
    session: Session, words: Sequence[str], *, usage: str, bare_type_is_all: bool = False
) -> list[Target]:
    """The same, with a list request for every target that has no name, so that each is one object."""
    named: list[Target] = []
    for target in resolve(session, words, usage=usage):
        if target.name or target.manifest is not None:
            named.append(target)
            continue
        chosen = session.flag("selector") or session.flag("all") or session.flag("field-selector")
        if not (chosen or bare_type_is_all):
            raise Failure("error: resource(s) were provided, but no name was specified")
        for item in session.api.get(target.path, query=selection_query(session)).get("items", ()):
            named.append(Target(target.found, namespace_of(item), name_of(item), None))
    return named


def selection_query(session: Session) -> dict[str, Any]:
    return {"labelSelector": session.flag("selector"), "fieldSelector": session.flag("field-selector")}


def manifest_targets(session: Session, *, verb: str = "apply") -> Iterator[Target]:
    """The target of every object in the files that -f names, as far as -l selects it."""
    matches = _selection(session)
    for source, manifest in _sourced_manifests(session, verb):
        if matches(labels_of(manifest)):
            yield target_of(session, manifest, source=source)


def _selection(session: Session) -> Callable[[Mapping[str, str]], bool]:
    selector = session.flag("selector") or ""
    try:
        return selectors.parse(selector).matches
    except selectors.SelectorError as error:
        raise Failure(
            f"error: the provided selector {json.dumps(selector)} is not valid: unable to parse requirement: {error}"
        ) from None


def target_of(session: Session, manifest: Object, *, source: str = "") -> Target:
    """The target that a manifest describes."""
    found = session.discovery.find_kind(
        manifest.get("apiVersion", ""), manifest.get("kind", ""), described=_described(manifest, source)
    )
    namespace = ""
    if found.resource.namespaced:
        namespace = namespace_of(manifest) or session.namespace
        asked = session.flag("namespace")
        if asked and namespace != asked:
            raise Failure(
                f'error: the namespace from the provided object "{namespace}" does not match the namespace '
                f"\"{asked}\". You must pass '--namespace={namespace}' to perform this operation."
            )
    return Target(found, namespace, name_of(manifest), manifest, source)


def placed_manifest(target: Target) -> Object:
    """The manifest of a target, in the namespace that it goes to."""
    manifest = target.manifest or {}
    if not target.namespace:
        return manifest
    return {**manifest, "metadata": {**metadata(manifest), "namespace": target.namespace}}


def _described(manifest: Object, source: str) -> str:
    return f'name: "{name_of(manifest)}" namespace: "{namespace_of(manifest)}" from "{source}"'


def _sourced_manifests(session: Session, verb: str) -> Iterator[tuple[str, Object]]:
    """Every object in the files that -f names, with the file; a List stands for its items."""
    anything = False
    for path in manifest_paths(session.flag("filename", []), recursive=bool(session.flag("recursive"))):
        source = "STDIN" if path == "-" else path
        for manifest in manifests_in(session.read_input(path), source):
            anything = True
            yield source, manifest
    if not anything:
        raise Failure(f"error: no objects passed to {verb}")


def manifests_in(text: str, source: str) -> Iterator[Object]:
    """Every object in a text; a List stands for its items."""
    for document in decode_manifests(text, source):
        yield from _items(document, source)


def decode_manifests(text: str, source: str) -> list[Any]:
    """The documents of a JSON or YAML text, empty ones left out."""
    if text.lstrip().startswith("{"):
        try:
            return _json_documents(text)
        except ValueError:
            # A map as YAML writes it in a line.
            pass
        except RecursionError:
            raise Failure(f"error: error parsing {source}: json parse error: exceeded max depth") from None
    try:
        return [document for document in goyaml.load_all(text) if document is not None]
    except goyaml.YamlError as error:
        raise Failure(f"error: error parsing {source}: error converting YAML to JSON: {error}") from None


def _json_documents(text: str) -> list[Any]:
    """Objects that follow each other with nothing between."""
    documents, decoder = [], json.JSONDecoder()
    rest = text.strip()
    while rest:
        document, end = decoder.raw_decode(rest)
        documents.append(document)
        rest = rest[end:].lstrip()
    return documents


def _items(document: Any, source: str) -> Iterator[Object]:
    if problem := invalid(document):
        raise Failure(
            f'error: error validating "{source}": error validating data: {problem}; if you choose to ignore '
            "these errors, turn validation off with --validate=false"
        )
    if problem := _undecodable(document):
        raise Failure(f'error: unable to decode "{source}": json: cannot unmarshal {problem}')
    if document["kind"].endswith("List") and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _items(item, source)
    else:
        yield document


def invalid(document: Any) -> str:
    """Why a document is no object; empty where it is one."""
    if not isinstance(document, dict):
        return "invalid object to validate"
    problems = []
    for name in ("apiVersion", "kind"):
        if document.get(name) is None or document[name] == "":
            problems.append(f"{name} not set")
        elif not isinstance(document[name], str):
            problems.append(f"{name} isn't string type")
    return f"[{', '.join(problems)}]" if len(problems) > 1 else "".join(problems)


def _undecodable(obj: Object) -> str:
    """What of the metadata this program looks at has another type than it must have."""
    meta = obj.get("metadata")
    if meta is not None and not isinstance(meta, dict):
        return (
            f"{gotext.json_kind(meta)} into Go struct field metadataOnlyObject.metadata of type v1.ObjectMeta"
        )
    for name, value in (meta or {}).items():
        if name in ("name", "namespace") and not isinstance(value, str | None):
            return f"{gotext.json_kind(value)} into Go struct field ObjectMeta.metadata.{name} of type string"
        if name not in ("labels", "annotations") or value is None:
            continue
        wrong = (
            [item for item in value.values() if not isinstance(item, str)]
            if isinstance(value, dict)
            else [value]
        )
        if wrong:
            go_type = "string" if isinstance(value, dict) else "map[string]string"
            return f"{gotext.json_kind(wrong[0])} into Go struct field ObjectMeta.metadata.{name} of type {go_type}"
    return ""


def _types(session: Session, word: str) -> list[Found]:
    if word == "all":
        return session.discovery.in_category("all")
    return [session.discovery.find(word)]


def _slashed(session: Session, word: str) -> Target:
    resource, slash, name = word.partition("/")
    if "/" in name:
        raise Failure("error: arguments in resource/name form may not have more than one slash")
    if not slash or not name:
        raise Failure(
            "error: there is no need to specify a resource type as a separate argument when passing arguments in "
            "resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource "
            "resource/<resource_name>'"
        )
    found = session.discovery.find(resource)
    return Target(found, session.namespace if found.resource.namespaced else "", name)
