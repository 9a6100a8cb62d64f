"""`CustomResourceDefinition` of `apiextensions.k8s.io/v1`."""

from __future__ import annotations

from mamekube.foundation.clock import format_time
from mamekube.kinds import cells
from mamekube.kinds.apiextensions import definitions
from mamekube.kinds.fields import section
from mamekube.kinds.kind import Kind
from mamekube.objects import conditions
from mamekube.objects.meta import Object

WEBHOOK_PORT = 443
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""The finalizer that a definition keeps until its objects are gone."""


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
    """Nothing is accepted or stored yet, but the version that will be: the first that says so."""
    spec = definition.get("spec") or {}
    stored = [version.get("name") or "" for version in spec.get("versions") or () if version.get("storage")][
        :1
    ]
    definition["status"] = {
        "acceptedNames": {"kind": "", "plural": ""},
        "conditions": None,
        "storedVersions": stored,
    }


def prepare_update(new: Object, old: Object) -> None:
    """A version that becomes the stored one is noted, so that nobody drops it while objects may be stored in it."""
    status = section(new, "status")
    stored = list(status.get("storedVersions") or ())
    for version in (new.get("spec") or {}).get("versions") or ():
        if version.get("storage"):
            if version.get("name") not in stored:
                # The status is the old object's own.
                new["status"] = {**status, "storedVersions": [*stored, version.get("name") or ""]}
            return


def prepare_delete(definition: Object, now_s: float) -> None:
    meta, status = definition["metadata"], section(definition, "status")
    if CLEANUP not in (meta.get("finalizers") or ()):
        meta["finalizers"] = [*(meta.get("finalizers") or ()), CLEANUP]
    condition = {
        "type": "Terminating",
        "status": "True",
        "reason": "InstanceDeletionPending",
        "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
    }
    status["conditions"] = conditions.replaced(
        status.get("conditions") or (), condition, now=format_time(now_s)
    )


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
    prepare_update=prepare_update,
    prepare_delete=prepare_delete,
    validate_create=definitions.validate_create,
    warnings=definitions.warnings,
    validate_update=definitions.validate_update,
    validate_status=definitions.validate_status,
)
