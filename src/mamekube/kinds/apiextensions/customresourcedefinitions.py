"""`CustomResourceDefinition` of `apiextensions.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds import cells
from mamekube.kinds.apiextensions import definitions
from mamekube.kinds.fields import section
from mamekube.kinds.kind import Kind
from mamekube.objects.meta import Object

WEBHOOK_PORT = 443


def default(definition: Object) -> None:
    spec = section(definition, "spec")
    if not spec.get("scope"):
        spec["scope"] = "Namespaced"
    default_names(section(spec, "names"))
    conversion = spec.get("conversion")
    if conversion is None:
        conversion = spec["conversion"] = {}
    if not conversion.get("strategy"):
        conversion["strategy"] = "None"
    service = ((conversion.get("webhook") or {}).get("clientConfig") or {}).get("service")
    if service is not None and service.get("port") is None:
        service["port"] = WEBHOOK_PORT


def default_names(names: Object) -> None:
    if names.get("kind"):
        if not names.get("singular"):
            names["singular"] = names["kind"].lower()
        if not names.get("listKind"):
            names["listKind"] = f"{names['kind']}List"


def prepare_create(definition: Object) -> None:
    """Nothing is accepted or stored yet, but the version that will be."""
    spec = definition.get("spec") or {}
    stored = [version.get("name") or "" for version in spec.get("versions") or () if version.get("storage")]
    definition["status"] = {
        "acceptedNames": {"kind": "", "plural": ""},
        "conditions": None,
        "storedVersions": stored,
    }


KIND = Kind(
    group="apiextensions.k8s.io",
    version="v1",
    plural="customresourcedefinitions",
    singular="customresourcedefinition",
    kind="CustomResourceDefinition",
    namespaced=False,
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    schema="io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
    has_status=True,
    counts_generation=True,
    columns=cells.NAME_AND_CREATED,
    row=cells.name_and_created,
    default=default,
    prepare_create=prepare_create,
    validate=definitions.validate,
    validate_update=definitions.validate_update,
)
