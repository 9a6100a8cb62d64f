"""What a command works on: `TYPE NAME…`, `TYPE/NAME…`, `TYPE,TYPE`, `-f FILE`, `-l SELECTOR`, `--all`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mamekube.kubectl.discovery import Found
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session, manifest_paths
from mamekube.objects.meta import Object, name_of, namespace_of

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


@dataclass(slots=True)
class Target:
    """One object (`name`), or all that match (no name), of one resource; `manifest` where a file says what it is."""

    found: Found
    namespace: str
    name: str = ""
    manifest: Object | None = None

    @property
    def path(self) -> str:
        return self.found.resource.path(namespace=self.namespace, name=self.name)

    def display(self, name: str = "") -> str:
        """`deployment.apps/web`: how kubectl names an object."""
        return f"{kind_name(self.found)}/{name or self.name}"


def kind_name(found: Found) -> str:
    """`pod`, `deployment.apps`."""
    kind = found.resource.kind.lower()
    return f"{kind}.{found.resource.group}" if found.resource.group else kind


def resolve(session: Session, words: Sequence[str], *, usage: str) -> list[Target]:
    """The targets that words and flags name."""
    if session.flag("filename"):
        return [target_of(session, manifest) for manifest in read_manifests(session)]
    if not words:
        raise Failure(usage)
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


def resolve_named(session: Session, words: Sequence[str], *, usage: str) -> list[Target]:
    """The same, with a list request for every target that has no name, so that each is one object."""
    named: list[Target] = []
    for target in resolve(session, words, usage=usage):
        if target.name:
            named.append(target)
            continue
        if not (session.flag("selector") or session.flag("all") or session.flag("field-selector")):
            raise Failure("error: resource(s) were provided, but no name was specified")
        for item in session.api.get(target.path, query=selection_query(session)).get("items", ()):
            named.append(Target(target.found, namespace_of(item), name_of(item), None))
    return named


def selection_query(session: Session) -> dict[str, Any]:
    return {"labelSelector": session.flag("selector"), "fieldSelector": session.flag("field-selector")}


def target_of(session: Session, manifest: Object) -> Target:
    """The target that a manifest describes."""
    found = session.discovery.find_kind(manifest.get("apiVersion", ""), manifest.get("kind", ""))
    namespace = ""
    if found.resource.namespaced:
        namespace = namespace_of(manifest) or session.namespace
        asked = session.flag("namespace")
        if asked and namespace != asked:
            raise Failure(
                f'error: the namespace from the provided object "{namespace}" does not match the namespace '
                f"\"{asked}\". You must pass '--namespace={namespace}' to perform this operation."
            )
    return Target(found, namespace, name_of(manifest), manifest)


def read_manifests(session: Session) -> Iterator[Object]:
    """Every object in the files that -f names; a List stands for its items."""
    for path in manifest_paths(session.flag("filename", []), recursive=bool(session.flag("recursive"))):
        found = False
        for document in decode_manifests(session.read_input(path), path):
            found = True
            yield from _items(document, path)
        if not found:
            raise Failure("error: no objects passed to apply")


def decode_manifests(text: str, source: str) -> list[Any]:
    """The documents of a JSON or YAML text, empty ones left out."""
    try:
        if text.lstrip().startswith("{"):
            return [json.loads(text)]
        import yaml

        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        return [document for document in yaml.load_all(text, Loader=loader) if document is not None]
    except ValueError as error:
        raise Failure(f"error: error parsing {source}: {error}") from None
    except Exception as error:
        if type(error).__module__.startswith("yaml"):
            raise Failure(
                f"error: error parsing {source}: error converting YAML to JSON: yaml: {error}"
            ) from None
        raise


def _items(document: Any, source: str) -> Iterator[Object]:
    if not isinstance(document, dict) or not document.get("kind"):
        raise Failure(
            f'error: error validating "{source}": error validating data: kind not set; if you choose to ignore '
            "these errors, turn validation off with --validate=false"
        )
    if not document.get("apiVersion"):
        raise Failure(
            f'error: error validating "{source}": error validating data: apiVersion not set; if you choose to '
            "ignore these errors, turn validation off with --validate=false"
        )
    if document["kind"].endswith("List") and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _items(item, source)
    else:
        yield document


def _types(session: Session, word: str) -> list[Found]:
    if word == "all":
        return session.discovery.in_category("all")
    return [session.discovery.find(word)]


def _slashed(session: Session, word: str) -> Target:
    resource, slash, name = word.partition("/")
    if not slash or not name or "/" in name:
        raise Failure(
            "error: there is no need to specify a resource type as a separate argument when passing arguments in "
            "resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource "
            "resource/<resource_name>'"
        )
    found = session.discovery.find(resource)
    return Target(found, session.namespace if found.resource.namespaced else "", name)
