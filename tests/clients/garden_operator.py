"""A kopf operator. A Garden has a Deployment of its size and a ConfigMap of its word, both its own; what becomes of
the Deployment is told in the Garden's status; and a garden is harvested before it goes.

Not a test: `kopf run` runs it, as it would beside a cluster.
"""

import kopf
from kubernetes import client, config
from tests.clients.manifests import config_map, deployment

OF_A_GARDEN = {"of": "garden"}


@kopf.on.startup()
def connect(settings, **_):
    config.load_kube_config()
    settings.persistence.finalizer = "clients.example.com/harvest"


@kopf.on.create("gardens")
def plant(name, namespace, spec, patch, **_):
    plants = deployment(name, replicas=spec["size"])
    words = config_map(name, word=spec["word"])
    for child in (plants, words):
        child["metadata"]["labels"] = OF_A_GARDEN
        kopf.adopt(child)
    client.AppsV1Api().create_namespaced_deployment(namespace, plants)
    client.CoreV1Api().create_namespaced_config_map(namespace, words)
    patch.status["phase"] = "Growing"
    return {"planted": spec["size"]}


@kopf.on.update("gardens", field="spec.size")
def resize(name, namespace, old, new, **_):
    client.AppsV1Api().patch_namespaced_deployment(name, namespace, {"spec": {"replicas": new}})
    return {"from": old, "to": new}


@kopf.on.event("apps", "v1", "deployments", labels=OF_A_GARDEN)
def report(type, name, namespace, status, **_):
    if type != "DELETED":
        client.CustomObjectsApi().patch_namespaced_custom_object_status(
            "clients.example.com",
            "v1",
            namespace,
            "gardens",
            name,
            {"status": {"size": status.get("availableReplicas", 0)}},
        )


@kopf.on.delete("gardens")
def harvest(name, namespace, spec, retry, **_):
    if retry == 0:
        raise kopf.TemporaryError("not ripe yet", delay=0.1)
    harvested = config_map(f"{name}-harvest", word=spec["word"])
    client.CoreV1Api().create_namespaced_config_map(namespace, harvested)
