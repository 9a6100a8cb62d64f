"""Objects that several clients create."""


def config_map(name, *, labels=None, **data):
    # kubectl calls an object changed for ever that is applied with empty labels: a server shows none of them.
    meta = {"name": name, **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def deployment(name, *, replicas=1, image="app:v1"):
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "app", "image": image}]},
            },
        },
    }


GARDENS = "gardens.clients.example.com"
GARDENS_PATH = "/apis/clients.example.com/v1/namespaces/{}/gardens"


def garden(name, **spec):
    return {
        "apiVersion": "clients.example.com/v1",
        "kind": "Garden",
        "metadata": {"name": name},
        "spec": spec,
    }


def gardens_definition():
    """A custom kind with the subresources status and scale; `size` is defaulted and bounded."""
    spec = {
        "type": "object",
        "properties": {
            "size": {"type": "integer", "minimum": 0, "maximum": 9, "default": 1},
            "word": {"type": "string"},
        },
    }
    status = {
        "type": "object",
        "properties": {"phase": {"type": "string"}, "size": {"type": "integer"}},
        "x-kubernetes-preserve-unknown-fields": True,
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}},
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"},
        },
        "additionalPrinterColumns": [
            {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
            {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
        ],
    }
    names = {"plural": "gardens", "singular": "garden", "kind": "Garden", "shortNames": ["gdn"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": GARDENS},
        "spec": {
            "group": "clients.example.com",
            "scope": "Namespaced",
            "names": names,
            "versions": [version],
        },
    }


def is_established(definition):
    conditions = definition.get("status", {}).get("conditions") or []
    return any((one["type"], one["status"]) == ("Established", "True") for one in conditions)
