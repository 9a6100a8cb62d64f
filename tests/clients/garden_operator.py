"""A kopf operator. A Garden has a Deployment of its size and a ConfigMap of its word, both its own; what becomes of
the Deployment is told in the Garden's status; and a garden is harvested before it goes.

Not a test: `kopf run` runs it, as it would beside a cluster.
"""

import os
from pathlib import Path

import kopf
from kubernetes import client, config
from tests.clients.manifests import config_map, deployment

OF_A_GARDEN = {"of": "garden"}


@kopf.on.startup()
def connect(settings, **_):
    config.load_kube_config()
    settings.persistence.finalizer = "clients.example.com/harvest"
    certificates = Path(os.environ["CERTIFICATES"])
    settings.admission.managed = "clients.example.com"
    settings.admission.server = kopf.WebhookServer(
        addr="127.0.0.1",
        host="127.0.0.1",
        certfile=str(certificates / "apiserver.crt"),
        pkeyfile=str(certificates / "apiserver.key"),
        cafile=str(certificates / "ca.crt"),
    )


@kopf.on.validate("gardens")
def inspect(spec, **_):
    if spec.get("word") == "weed":
        raise kopf.AdmissionError("no weeds here", code=403)


@kopf.on.create("gardens")
def plant(body, name, namespace, spec, patch, **_):
    plants = deployment(name, replicas=spec["size"])
    words = config_map(name, word=spec["word"])
    for child in (plants, words):
        child["metadata"]["labels"] = OF_A_GARDEN
        kopf.adopt(child)
    client.AppsV1Api().create_namespaced_deployment(namespace, plants)
    client.CoreV1Api().create_namespaced_config_map(namespace, words)
    kopf.info(body, reason="Planted", message=f"{spec['size']} in the ground")
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
