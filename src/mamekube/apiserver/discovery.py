"""What the server serves: `/api`, `/apis` and below, in the aggregated form and in the older one.

Both are built from the registry, kept encoded with an ETag, and built again when the registry has changed.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from mamekube.apiserver.aggregation import priorities, remote_discovery
from mamekube.apiserver.aggregation.apiservices import ApiServices, Remote
from mamekube.apiserver.aggregation.priorities import Place
from mamekube.apiserver.documents import Text, encode
from mamekube.apiserver.formats.codec import PROTOBUF
from mamekube.apiserver.formats.negotiation import OFFERED, PLAIN, Form, forms
from mamekube.client.discovery import Discovered, read_documents
from mamekube.kinds import subresources
from mamekube.kinds.kind import Kind
from mamekube.kinds.registry import Registry
from mamekube.objects.meta import Object
from mamekube.objects.status import not_acceptable

AGGREGATED_GROUP = "apidiscovery.k8s.io"
AGGREGATED_KIND = "APIGroupDiscoveryList"
AGGREGATED_VERSIONS = ("v2", "v2beta1")


class Discovery:
    """Answers the discovery paths."""

    def __init__(self, registry: Registry, *, address: str, services: ApiServices | None = None) -> None:
        self._registry = registry
        self._address = address
        self._services = services
        self._generation = 0
        self._kinds: tuple[Kind, ...] = ()
        self._texts: dict[tuple[str, str], Text] = {}
        self._discovered: Discovered | None = None

    def discovered(self) -> Discovered:
        """What a client would read from the aggregated documents."""
        self._refresh()
        if self._discovered is None:
            form = Form(version="v2")
            self._discovered = read_documents((self._aggregated("", form), self._aggregated("/", form)))
        return self._discovered

    def serve(self, path: str, headers: Mapping[str, str]) -> Text | None:
        """The answer to GET of `path`, None where it is no discovery path. Raises 406."""
        self._refresh()
        path = path.rstrip("/")
        form = _form(headers.get("Accept", ""), aggregates=path in ("/api", "/apis"))
        key = (path, form.content_type)
        text = self._texts.get(key)
        if text is None:
            built = self._build(path, form)
            if built is None:
                return None
            text = self._texts[key] = _text(built, form)
        if text.headers.get("ETag") and headers.get("If-None-Match") == text.headers["ETag"]:
            return Text(b"", text.content_type, 304, text.headers)
        return text

    def is_builtin_version(self, path: str) -> bool:
        """Whether the path is that of a version of a built-in group."""
        if path == "/api/v1":
            return True
        root, _, rest = path.removeprefix("/").partition("/")
        group, _, version = rest.partition("/")
        served = root == "apis" and self._registry.is_builtin(group)
        return served and version in dict(self._registry.group_versions()).get(group, ())

    def _refresh(self) -> None:
        """Forget what was built of other kinds than those that there are now."""
        kinds = tuple(self._registry.all())
        generation = self._services.generation if self._services is not None else 0
        if kinds != self._kinds or generation != self._generation:
            self._kinds, self._generation, self._texts, self._discovered = kinds, generation, {}, None

    def _build(self, path: str, form: Form) -> Object | None:
        parts = path.strip("/").split("/")
        if parts == ["api"]:
            return self._aggregated("", form) if form.as_kind else self._api_versions()
        if parts == ["apis"]:
            return self._aggregated("/", form) if form.as_kind else self._group_list()
        if parts[0] == "api" and len(parts) == 2:
            return self._resources("", parts[1])
        if parts[0] == "apis" and len(parts) == 2:
            return self._group(parts[1])
        if parts[0] == "apis" and len(parts) == 3:
            return self._resources(parts[1], parts[2])
        return None

    # The older form -----------------------------------------------------------------------------

    def _api_versions(self) -> Object:
        return {
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": self._address}],
        }

    def _group_list(self) -> Object:
        groups = [_group(group, versions) for group, versions in self.group_versions() if group]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}

    def group_versions(self) -> list[tuple[str, list[str]]]:
        """The groups served here and those of other servers, in the order of their priorities; a group may be both."""
        places: dict[tuple[str, str], Place] = {}
        found: dict[str, list[str]] = {}
        for group, versions in self._registry.group_versions():
            builtin = [one for one in versions if self._registry.is_builtin_version(group, one)]
            if group == priorities.FIRST:
                found[group] = versions
            for place in priorities.builtin(group, builtin):
                places[group, place.version] = place
            for version in versions:
                if version not in builtin:
                    places[group, version] = Place(group, version, *priorities.CUSTOM)
        for remote in self._remotes():
            places[remote.group, remote.version] = Place(remote.group, remote.version, *remote.priority)
        return list((found | priorities.in_order(places.values())).items())

    def _remotes(self) -> Iterable[Remote]:
        return self._services.remotes.values() if self._services is not None else ()

    def _group(self, group: str) -> Object | None:
        for found, versions in self.group_versions():
            if found == group:
                return {"kind": "APIGroup", "apiVersion": "v1", **_group(group, versions)}
        return None

    def _resources(self, group: str, version: str) -> Object | None:
        kinds = [kind for kind in self._kinds if (kind.group, kind.version) == (group, version)]
        if not kinds:
            return None
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{group}/{version}" if group else version,
            "resources": [entry for kind in kinds for entry in _legacy(kind)],
        }

    # The aggregated form ------------------------------------------------------------------------

    def _aggregated(self, prefix: str, form: Form) -> Object:
        """Of the core group alone (`""`), or of all others."""
        items = []
        remotes = {(remote.group, remote.version): remote for remote in self._remotes()}
        for group, versions in self.group_versions():
            if bool(group) != bool(prefix):
                continue
            listed: list[Object] = []
            for version in versions:
                remote = remotes.get((group, version))
                resources = (
                    remote_discovery.resources_of(remote)
                    if remote is not None
                    else self._aggregated_version(group, version)
                )
                freshness = "Current" if remote is None or remote.available else "Stale"
                listed.append({"version": version, "resources": resources, "freshness": freshness})
            meta: Object = {"name": group} if group else {}
            meta["creationTimestamp"] = None
            items.append({"metadata": meta, "versions": listed})
        return {
            "kind": AGGREGATED_KIND,
            "apiVersion": f"{AGGREGATED_GROUP}/{form.version}",
            "metadata": {},
            "items": items,
        }

    def _aggregated_version(self, group: str, version: str) -> list[Object]:
        return [
            _aggregated_resource(kind)
            for kind in self._kinds
            if (kind.group, kind.version) == (group, version)
        ]


def _form(accept: str, *, aggregates: bool) -> Form:
    written = [form for form in forms(accept) if form.media_type != PROTOBUF]
    # Protobuf is for those who take nothing else; the aggregated form is never written in it.
    for form in written or forms(accept):
        if not form.as_kind:
            return form._replace(as_kind="", group="", version="")
        known = (form.group, form.as_kind) == (AGGREGATED_GROUP, AGGREGATED_KIND)
        if aggregates and known and form.version in AGGREGATED_VERSIONS and form.media_type != PROTOBUF:
            return form
    if written or not accept:
        return PLAIN
    raise not_acceptable(OFFERED)


def _text(built: Object, form: Form) -> Text:
    if form.media_type == PROTOBUF:
        from mamekube.apiserver.formats import protobuf_encoding

        return Text(protobuf_encoding.encode({"apiVersion": "v1", **built}), form.content_type)
    if form.media_type != PLAIN.media_type:
        from mamekube.apiserver.formats import yamls

        return Text(yamls.encode(built), form.content_type)
    body = encode(built)
    headers = {"Vary": "Accept"}
    if form.as_kind:
        headers["ETag"] = f'"{hashlib.sha512(body).hexdigest().upper()}"'
    return Text(body, form.content_type, 200, headers)


def _group(group: str, versions: list[str]) -> Object:
    listed = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": listed, "preferredVersion": listed[0]}


def _legacy(kind: Kind) -> Iterable[Object]:
    entry: dict[str, Any] = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": sorted(kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    if "list" in kind.verbs and "create" in kind.verbs:
        entry["storageVersionHash"] = storage_version_hash(kind)
    yield entry
    for name in subresources.names(kind):
        described = subresources.describe(kind, name)
        below: dict[str, Any] = {
            "name": f"{kind.plural}/{name}",
            "singularName": "",
            "namespaced": kind.namespaced,
        }
        if described.version:
            below |= {"group": described.group, "version": described.version}
        yield {**below, "kind": described.kind, "verbs": sorted(described.verbs)}


def storage_version_hash(kind: Kind) -> str:
    """Upstream's digest of the version in which the kind is stored."""
    home = kind.storage or kind
    digest = hashlib.sha256(f"{home.group}/{home.version}/{home.kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def _aggregated_resource(kind: Kind) -> Object:
    entry: dict[str, Any] = {
        "resource": kind.plural,
        "responseKind": {"group": "", "version": "", "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": sorted(kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    below = []
    for name in subresources.names(kind):
        described = subresources.describe(kind, name)
        response = {"group": described.group, "version": described.version, "kind": described.kind}
        below.append({"subresource": name, "responseKind": response, "verbs": sorted(described.verbs)})
    if below:
        entry["subresources"] = below
    return entry
