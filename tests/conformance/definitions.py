"""CustomResourceDefinitions that many tests create."""

from __future__ import annotations

from typing import Any

from tests.conformance.api import Api, eventually

Object = dict[str, Any]

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
"""The schema that takes everything."""


def version(name: str, schema: Object | None = None, *, storage: bool = True, **fields: Any) -> Object:
    return {
        "name": name,
        "served": True,
        "storage": storage,
        "schema": {"openAPIV3Schema": schema or OPEN},
        **fields,
    }


def definition(
    group: str, *versions: Object, kind: str = "Foo", scope: str = "Namespaced", **spec: Any
) -> Object:
    """`foos` of `group`, in v1 that takes everything unless versions are given."""
    singular = kind.lower()
    names = {"plural": f"{singular}s", "singular": singular, "kind": kind, "listKind": f"{kind}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{singular}s.{group}"},
        "spec": {
            "group": group,
            "names": names,
            "scope": scope,
            "versions": list(versions) or [version("v1")],
            **spec,
        },
    }


def noxu(group: str, *versions: Object, scope: str = "Namespaced") -> Object:
    """The definition of upstream's integration tests: no name of it is made of another."""
    crd = definition(group, *versions or (version("v1beta1"),), kind="Noxu", scope=scope)
    crd["spec"]["names"] = {
        "plural": "noxus",
        "singular": "nonenglishnoxu",
        "kind": "WishIHadChosenNoxu",
        "shortNames": ["foo", "bar", "abc", "def"],
        "listKind": "NoxuItemList",
        "categories": ["all"],
    }
    return crd


def establish(api: Api, obj: Object) -> str:
    """Create a definition and wait until its resources are served; its path."""
    api.create(DEFINITIONS, obj)
    path = f"{DEFINITIONS}/{obj['metadata']['name']}"
    api.wait_object(path, established)
    for one in obj["spec"]["versions"]:
        place = collection(obj, one["name"])
        eventually(lambda place=place: api.send("GET", place).code == 200, f"{place} to be served")
    return path


def established(obj: Object) -> bool:
    conditions = {one["type"]: one["status"] for one in obj.get("status", {}).get("conditions") or []}
    return conditions.get("Established") == "True"


def collection(obj: Object, version: str, namespace: str = "") -> str:
    """The path of a definition's resources."""
    spec = obj["spec"]
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{spec['group']}/{version}{within}/{spec['names']['plural']}"


def custom(obj: Object, version: str, name: str, **fields: Any) -> Object:
    """An object of a definition."""
    spec = obj["spec"]
    return {
        "apiVersion": f"{spec['group']}/{version}",
        "kind": spec["names"]["kind"],
        "metadata": {"name": name},
        **fields,
    }
