"""lightkube: typed models over httpx, synchronous and asynchronous."""

import pytest
import yaml
from lightkube import ApiError, AsyncClient, Client, KubeConfig, codecs, sort_objects
from lightkube import operators as op
from lightkube.generic_resource import (
    create_namespaced_resource,
    get_generic_resource,
    load_in_cluster_generic_resources,
)
from lightkube.models.apps_v1 import DeploymentSpec
from lightkube.models.authentication_v1 import TokenRequestSpec
from lightkube.models.authorization_v1 import ResourceAttributes, SelfSubjectAccessReviewSpec
from lightkube.models.autoscaling_v1 import ScaleSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment, DeploymentScale, DeploymentStatus
from lightkube.resources.authorization_v1 import SelfSubjectAccessReview
from lightkube.resources.core_v1 import ConfigMap, Namespace, Pod, ServiceAccountToken
from lightkube.types import CascadeType, PatchType
from tests.clients.manifests import config_map, deployment, garden


@pytest.fixture
def settings(kubeconfig):
    return KubeConfig.from_file(kubeconfig)


@pytest.fixture
def client(settings, namespace):
    with Client(config=settings, namespace=namespace, field_manager="lightkube-tests") as client:
        yield client


def words(name="words", labels=None, **data):
    return ConfigMap(metadata=ObjectMeta(name=name, labels=labels), data=data)


def test_an_object_lives_from_create_to_delete(client, namespace):
    created = client.create(words(a="1"))
    assert created.metadata.namespace == namespace
    assert created.metadata.managedFields[0].manager == "lightkube-tests"
    created.data["b"] = "2"
    replaced = client.replace(created)
    assert replaced.data == {"a": "1", "b": "2"}
    with pytest.raises(ApiError) as refused:
        client.replace(created)
    assert (refused.value.status.code, refused.value.status.reason) == (409, "Conflict")
    client.delete(ConfigMap, "words")
    with pytest.raises(ApiError) as missing:
        client.get(ConfigMap, "words")
    assert missing.value.status.message == 'configmaps "words" not found'


def test_the_four_patches_do_what_their_types_say(client):
    client.create(Deployment.from_dict(deployment("web", replicas=0)))
    side = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "side:v1"}]}}}}
    both = client.patch(Deployment, "web", side)
    assert [one.name for one in both.spec.template.spec.containers] == ["side", "app"]
    alone = client.patch(Deployment, "web", side, patch_type=PatchType.MERGE)
    assert [one.name for one in alone.spec.template.spec.containers] == ["side"]
    operations = [{"op": "replace", "path": "/spec/paused", "value": True}]
    with pytest.raises(ApiError) as refused:
        client.patch(Deployment, "web", operations, patch_type=PatchType.JSON)
    assert (refused.value.status.code, refused.value.status.reason) == (422, "Invalid")
    operations[0]["op"] = "add"
    assert client.patch(Deployment, "web", operations, patch_type=PatchType.JSON).spec.paused


def test_apply_makes_changes_and_fights_over_fields(client):
    first = client.apply(words(a="1"), field_manager="first")
    assert first.metadata.managedFields[0].operation == "Apply"
    with pytest.raises(ApiError) as conflict:
        client.apply(words(a="2"), field_manager="second")
    assert conflict.value.status.message == ('Apply failed with 1 conflict: conflict with "first": .data.a')
    assert client.apply(words(a="2"), field_manager="second", force=True).data == {"a": "2"}
    assert client.apply(words(b="3"), field_manager="second").data == {"b": "3"}
    assert client.apply(words(b="4"), field_manager="second", dry_run=True).data == {"b": "4"}
    assert client.get(ConfigMap, "words").data == {"b": "3"}


def test_lists_go_on_by_chunks_and_choose_by_selectors(client):
    for number in range(5):
        client.create(words(f"c{number}", labels={"kind": "even" if number % 2 == 0 else "odd"}))
    without = client.list(ConfigMap, labels={"kind": op.not_exists()})
    assert [one.metadata.name for one in without] == ["kube-root-ca.crt"]
    chosen = client.list(ConfigMap, labels={"kind": op.in_(["even", "odd"])}, chunk_size=2)
    assert [one.metadata.name for one in chosen] == ["c0", "c1", "c2", "c3", "c4"]
    odd = client.list(
        ConfigMap, labels={"kind": op.not_equal("even")}, fields={"metadata.name": op.not_equal("c1")}
    )
    assert [one.metadata.name for one in odd if one.metadata.name.startswith("c")] == ["c3"]
    everywhere = client.list(ConfigMap, namespace="*", fields={"metadata.name": "c0"})
    assert len(list(everywhere)) == 1
    client.deletecollection(ConfigMap)
    assert list(client.list(ConfigMap, labels={"kind": op.exists()})) == []


def test_a_watch_tells_every_change_from_a_list_on(client):
    listed = client.list(ConfigMap)
    list(listed)
    client.create(words(a="1"))
    client.patch(ConfigMap, "words", {"data": {"a": "2"}})
    client.delete(ConfigMap, "words")
    told = []
    for kind, obj in client.watch(ConfigMap, resource_version=listed.resourceVersion):
        told.append((kind, obj.metadata.name))
        if kind == "DELETED":
            break
    assert told == [("ADDED", "words"), ("MODIFIED", "words"), ("DELETED", "words")]


def test_a_deployment_is_scaled_and_awaited(client):
    client.create(Deployment.from_dict(deployment("web")))
    client.wait(Deployment, "web", for_conditions=["Available"], raise_for_conditions=["ReplicaFailure"])
    assert client.get(DeploymentScale, "web").spec == ScaleSpec(replicas=1)
    client.patch(DeploymentScale, "web", {"spec": {"replicas": 2}}, patch_type=PatchType.MERGE)
    for _, found in client.watch(Deployment, fields={"metadata.name": "web"}):
        if found.status.availableReplicas == 2:
            break
    pods = client.list(Pod, labels={"app": "web"})
    assert len(list(pods)) == 2
    assert client.get(DeploymentStatus, "web").spec.replicas == 2
    client.delete(Deployment, "web", cascade=CascadeType.FOREGROUND)
    for kind, _ in client.watch(
        Deployment, fields={"metadata.name": "web"}, resource_version=pods.resourceVersion
    ):
        if kind == "DELETED":
            break
    assert list(client.list(Pod, labels={"app": "web"})) == []


def test_a_strict_model_is_told_what_is_wrong(client):
    wrong = Deployment(
        metadata=ObjectMeta(name="web"), spec=DeploymentSpec.from_dict(deployment("web", replicas=-1)["spec"])
    )
    with pytest.raises(ApiError) as refused:
        client.create(wrong)
    [cause] = refused.value.status.details.causes
    assert (cause.field, cause.reason) == ("spec.replicas", "FieldValueInvalid")


def test_a_token_is_requested_and_used(client, namespace, kubeconfig_with):
    request = TokenRequestSpec(audiences=[], expirationSeconds=600)
    issued = client.create(ServiceAccountToken(metadata=ObjectMeta(), spec=request), "default")
    with Client(config=KubeConfig.from_file(kubeconfig_with(issued.status.token))) as inside:
        attributes = ResourceAttributes(verb="create", resource="pods", namespace=namespace)
        review = SelfSubjectAccessReview(spec=SelfSubjectAccessReviewSpec(resourceAttributes=attributes))
        assert inside.create(review).status.allowed is False
        with pytest.raises(ApiError) as refused:
            list(inside.list(Namespace))
        assert refused.value.status.code == 403


def test_objects_of_a_file_are_created_in_order(client, namespace, tmp_path):
    text = yaml.safe_dump_all([deployment("web", replicas=0), config_map("words", a="1")])
    for obj in sort_objects(codecs.load_all_yaml(text)):
        client.create(obj)
    assert client.get(ConfigMap, "words").data == {"a": "1"}
    assert client.get(Deployment, "web").spec.replicas == 0


def test_custom_objects_are_as_good_as_any(client, gardens):
    garden_class = create_namespaced_resource("clients.example.com", "v1", "Garden", "gardens")
    made = client.create(garden_class.from_dict(garden("roses", word="thorn")))
    assert made.spec == {"size": 1, "word": "thorn"}
    client.patch(garden_class.Status, "roses", {"status": {"phase": "Growing"}}, patch_type=PatchType.MERGE)
    client.patch(garden_class.Scale, "roses", {"spec": {"replicas": 3}}, patch_type=PatchType.MERGE)
    applied = client.apply(
        garden_class.from_dict(garden("roses", word="bud")), field_manager="tests", force=True
    )
    assert (applied.spec, applied.status) == ({"size": 3, "word": "bud"}, {"phase": "Growing"})
    assert client.get(garden_class.Scale, "roses").spec.replicas == 3
    [found] = client.list(garden_class, fields={"metadata.name": "roses"})
    assert found.metadata.generation == 3
    found.spec["word"] = "leaf"
    replaced = client.replace(found)
    assert (replaced.metadata.generation, replaced.metadata.creationTimestamp) == (
        4,
        made.metadata.creationTimestamp,
    )
    client.delete(garden_class, "roses")
    load_in_cluster_generic_resources(client)
    assert get_generic_resource("clients.example.com/v1", "Garden") is not None


async def test_the_asynchronous_client_works_alike(settings, namespace):
    async with AsyncClient(config=settings, namespace=namespace) as client:
        await client.create(words(a="1"))
        applied = await client.apply(words(b="2"), field_manager="tests")
        assert applied.data == {"a": "1", "b": "2"}
        told = []
        async for kind, _ in client.watch(ConfigMap, fields={"metadata.name": "words"}):
            told.append(kind)
            if kind == "DELETED":
                break
            await client.delete(ConfigMap, "words")
        assert told == ["ADDED", "DELETED"]
