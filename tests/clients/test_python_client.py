"""The official Python client, synchronous and asynchronous, typed and dynamic."""

import datetime
import json
import threading

import pytest
import yaml
from kubernetes import client, config, dynamic, utils, watch
from kubernetes.aio import client as aio_client
from kubernetes.aio import config as aio_config
from kubernetes.aio import watch as aio_watch
from kubernetes.dynamic.exceptions import BadRequestError, ConflictError, NotFoundError, ResourceNotFoundError
from kubernetes.informer import SharedInformer
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock
from tests.clients.manifests import config_map, deployment, garden, gardens_definition, is_established

WATCH_S = 30
JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


@pytest.fixture(scope="module")
def connection(kubeconfig):
    with config.new_client_from_config(config_file=kubeconfig) as connection:
        yield connection
        close(connection)


def close(connection):
    """Its own `close` leaves the sockets to the garbage collector, which warns of them."""
    connection.rest_client.pool_manager.clear()


@pytest.fixture
def core(connection):
    return client.CoreV1Api(connection)


@pytest.fixture
def apps(connection):
    return client.AppsV1Api(connection)


@pytest.fixture(scope="module")
def dynamic_client(connection, tmp_path_factory):
    return dynamic.DynamicClient(connection, cache_file=str(tmp_path_factory.mktemp("dynamic") / "cache"))


def events_of(stream, *, until):
    """What a watch tells, up to and including the first event that `until` says yes to."""
    told = []
    watcher = watch.Watch()
    for event in watcher.stream(**stream, timeout_seconds=WATCH_S):
        told.append((event["type"], event["object"].metadata.name))
        if until(event):
            watcher.stop()
            return told
    raise AssertionError(f"the watch ended with {told}")


def test_an_object_lives_from_create_to_delete(core, namespace):
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="words"), data={"a": "1"})
    created = core.create_namespaced_config_map(namespace, body)
    assert created.metadata.creation_timestamp <= datetime.datetime.now(datetime.UTC)
    created.data["b"] = "2"
    replaced = core.replace_namespaced_config_map("words", namespace, created)
    assert int(replaced.metadata.resource_version) > int(created.metadata.resource_version)
    with pytest.raises(client.ApiException) as refused:
        core.replace_namespaced_config_map("words", namespace, created)
    assert (refused.value.status, json.loads(refused.value.body)["reason"]) == (409, "Conflict")
    assert core.read_namespaced_config_map("words", namespace).data == {"a": "1", "b": "2"}
    status = core.delete_namespaced_config_map("words", namespace)
    assert (status["status"], status["details"]["name"]) == ("Success", "words")
    with pytest.raises(client.ApiException) as missing:
        core.read_namespaced_config_map("words", namespace)
    assert json.loads(missing.value.body)["message"] == 'configmaps "words" not found'


def test_the_four_patches_do_what_their_types_say(apps, namespace):
    apps.create_namespaced_deployment(namespace, deployment("web", replicas=0))

    def patch(body, content_type, **options):
        return apps.patch_namespaced_deployment("web", namespace, body, _content_type=content_type, **options)

    path = "/spec/template/spec/containers/0/image"
    operations = [
        {"op": "test", "path": path, "value": "app:v1"},
        {"op": "replace", "path": path, "value": "app:v2"},
    ]
    assert patch(operations, JSON_PATCH).spec.template.spec.containers[0].image == "app:v2"
    assert patch({"metadata": {"labels": {"tier": "front"}}}, MERGE).metadata.labels == {"tier": "front"}
    side = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "side:v1"}]}}}}
    assert [one.name for one in patch(side, STRATEGIC).spec.template.spec.containers] == ["side", "app"]
    applied = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"paused": True},
    }
    result = patch(applied, APPLY, field_manager="tests")
    assert result.spec.paused
    owner = result.metadata.managed_fields[0]
    assert (owner.manager, owner.operation) == ("tests", "Apply")
    taken = {**applied, "spec": {"replicas": 3}}
    with pytest.raises(client.ApiException) as conflict:
        patch(taken, APPLY, field_manager="tests")
    causes = json.loads(conflict.value.body)["details"]["causes"]
    assert [(cause["reason"], cause["field"]) for cause in causes] == [
        ("FieldManagerConflict", ".spec.replicas")
    ]
    assert patch(taken, APPLY, field_manager="tests", force=True).spec.replicas == 3


def test_an_unnamed_patch_type_is_the_clients_first(core, namespace):
    core.create_namespaced_config_map(namespace, config_map("words", a="1"))
    patched = core.patch_namespaced_config_map("words", namespace, {"data": {"b": "2"}})
    assert patched.data == {"a": "1", "b": "2"}


def test_a_watch_tells_every_change_from_a_list_on(core, namespace):
    listed = core.list_namespaced_config_map(namespace, label_selector="of=watch")
    assert listed.items == []
    core.create_namespaced_config_map(namespace, config_map("other", a="1"))
    core.create_namespaced_config_map(namespace, config_map("words", labels={"of": "watch"}, a="1"))
    core.patch_namespaced_config_map("words", namespace, {"data": {"a": "2"}})
    core.delete_namespaced_config_map("words", namespace)
    stream = {
        "func": core.list_namespaced_config_map,
        "namespace": namespace,
        "label_selector": "of=watch",
        "resource_version": listed.metadata.resource_version,
    }
    told = events_of(stream, until=lambda event: event["type"] == "DELETED")
    assert told == [("ADDED", "words"), ("MODIFIED", "words"), ("DELETED", "words")]


def test_a_list_of_forgotten_history_is_told_so(core, namespace, control_plane):
    listed = core.list_namespaced_config_map(namespace)
    core.create_namespaced_config_map(namespace, config_map("words", a="1"))
    control_plane.compact()
    then = {"resource_version": listed.metadata.resource_version, "resource_version_match": "Exact"}
    with pytest.raises(client.ApiException) as gone:
        core.list_namespaced_config_map(namespace, **then)
    assert (gone.value.status, json.loads(gone.value.body)["reason"]) == (410, "Expired")


def test_a_list_in_chunks_is_the_list_of_one_moment(core, namespace):
    for number in range(5):
        core.create_namespaced_config_map(namespace, config_map(f"c{number}", n=str(number)))
    chosen = {"field_selector": "metadata.name!=kube-root-ca.crt", "limit": 2}
    first = core.list_namespaced_config_map(namespace, **chosen)
    core.create_namespaced_config_map(namespace, config_map("c9", n="9"))
    names, page = [one.metadata.name for one in first.items], first
    while page.metadata._continue:
        page = core.list_namespaced_config_map(namespace, **chosen, _continue=page.metadata._continue)
        assert page.metadata.resource_version == first.metadata.resource_version
        names += [one.metadata.name for one in page.items]
    assert names == ["c0", "c1", "c2", "c3", "c4"]


def test_field_selectors_choose_pods_by_node_and_phase(core, namespace):
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "app", "image": "app:v1"}]}}
    core.create_namespaced_pod(namespace, pod)
    stream = {
        "func": core.list_namespaced_pod,
        "namespace": namespace,
        "field_selector": "status.phase=Running",
    }
    assert events_of(stream, until=lambda event: True) == [("ADDED", "p")]
    node = core.read_namespaced_pod("p", namespace).spec.node_name
    here = core.list_pod_for_all_namespaces(
        field_selector=f"spec.nodeName={node},metadata.namespace={namespace}"
    )
    assert [one.metadata.name for one in here.items] == ["p"]
    with pytest.raises(client.ApiException) as refused:
        core.list_namespaced_pod(namespace, field_selector="spec.color=red")
    assert "field label not supported: spec.color" in json.loads(refused.value.body)["message"]


def test_a_collection_is_deleted_by_its_labels(core, namespace):
    for name in ("a", "b", "c"):
        core.create_namespaced_config_map(namespace, config_map(name, labels={"go": str(name != "c")}))
    core.delete_collection_namespaced_config_map(namespace, label_selector="go=True")
    left = core.list_namespaced_config_map(namespace, label_selector="go")
    assert [one.metadata.name for one in left.items] == ["c"]


def test_a_deployment_is_scaled_and_its_status_followed(apps, namespace):
    apps.create_namespaced_deployment(namespace, deployment("web"))
    scale = apps.read_namespaced_deployment_scale("web", namespace)
    assert (scale.spec.replicas, scale.status.selector) == (1, "app=web")
    scale.spec.replicas, scale.metadata.resource_version = 3, None
    apps.replace_namespaced_deployment_scale("web", namespace, scale)
    stream = {"func": apps.list_namespaced_deployment, "namespace": namespace}
    events_of(stream, until=lambda event: event["object"].status.available_replicas == 3)
    status = apps.read_namespaced_deployment_status("web", namespace).status
    assert {one.type: one.status for one in status.conditions}["Available"] == "True"
    condition = {"type": "Tested", "status": "True", "reason": "Told", "message": "by a test"}
    patched = apps.patch_namespaced_deployment_status(
        "web",
        namespace,
        {"spec": {"replicas": 9}, "status": {"conditions": [condition]}},
        _content_type=STRATEGIC,
    )
    assert patched.spec.replicas == 3
    assert "Tested" in [one.type for one in patched.status.conditions]


def test_deleting_an_owner_in_the_background_takes_what_it_owns(apps, core, namespace):
    apps.create_namespaced_deployment(namespace, deployment("web", replicas=2))
    pods = {"func": core.list_namespaced_pod, "namespace": namespace, "label_selector": "app=web"}
    running = set()

    def both_run(event):
        if event["object"].status.phase == "Running":
            running.add(event["object"].metadata.name)
        return len(running) == 2

    events_of(pods, until=both_run)
    pods["resource_version"] = core.list_namespaced_pod(namespace).metadata.resource_version
    apps.delete_namespaced_deployment("web", namespace, propagation_policy="Background")
    gone = set()

    def both_gone(event):
        if event["type"] == "DELETED":
            gone.add(event["object"].metadata.name)
        return gone == running

    events_of(pods, until=both_gone)


def test_a_refusal_names_the_fields(apps, namespace):
    wrong = deployment("web", replicas=-1)
    wrong["spec"]["template"]["metadata"]["labels"] = {"app": "else"}
    with pytest.raises(client.ApiException) as refused:
        apps.create_namespaced_deployment(namespace, wrong)
    body = json.loads(refused.value.body)
    assert (refused.value.status, body["reason"]) == (422, "Invalid")
    assert [cause["field"] for cause in body["details"]["causes"]] == [
        "spec.replicas",
        "spec.template.metadata.labels",
    ]


def test_dry_run_and_strict_fields_store_nothing(core, dynamic_client, namespace):
    made = core.create_namespaced_config_map(namespace, config_map("words", a="1"), dry_run="All")
    assert made.metadata.uid
    maps = dynamic_client.resources.get(api_version="v1", kind="ConfigMap")
    with pytest.raises(BadRequestError) as refused:
        maps.create(
            body={**config_map("words"), "date": {}},
            namespace=namespace,
            query_params=[("fieldValidation", "Strict")],
        )
    assert 'strict decoding error: unknown field "date"' in json.loads(refused.value.body)["message"]
    names = [one.metadata.name for one in core.list_namespaced_config_map(namespace).items]
    assert "words" not in names


def test_a_service_accounts_token_is_its_identity(core, connection, control_plane, namespace):
    request = client.AuthenticationV1TokenRequest(
        spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=3600)
    )
    issued = core.create_namespaced_service_account_token("default", namespace, request)
    assert issued.status.expiration_timestamp > datetime.datetime.now(datetime.UTC)
    settings = client.Configuration(host=control_plane.url)
    settings.ssl_ca_cert = str(control_plane.certificates / "ca.crt")
    settings.api_key = {"authorization": f"Bearer {issued.status.token}"}
    with client.ApiClient(settings) as account:
        review = client.AuthenticationV1Api(account).create_self_subject_review(client.V1SelfSubjectReview())
        assert review.status.user_info.username == f"system:serviceaccount:{namespace}:default"
        attributes = {"verb": "list", "resource": "pods", "namespace": namespace}
        access = client.V1SelfSubjectAccessReview(
            spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes)
        )
        reviews = client.AuthorizationV1Api(account)
        assert not reviews.create_self_subject_access_review(access).status.allowed
        with pytest.raises(client.ApiException) as refused:
            client.CoreV1Api(account).list_namespaced_pod(namespace)
        assert refused.value.status == 403
        subject = {"kind": "ServiceAccount", "name": "default", "namespace": namespace}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
        client.RbacAuthorizationV1Api(connection).create_namespaced_role_binding(
            namespace, {"metadata": {"name": "view"}, "subjects": [subject], "roleRef": role}
        )
        assert reviews.create_self_subject_access_review(access).status.allowed
        assert client.CoreV1Api(account).list_namespaced_pod(namespace).items == []
        rules = client.V1SelfSubjectRulesReview(spec=client.V1SelfSubjectRulesReviewSpec(namespace=namespace))
        told = reviews.create_self_subject_rules_review(rules).status.resource_rules
        assert any("pods" in rule.resources and "watch" in rule.verbs for rule in told)


def test_events_are_written_and_found_in_both_groups(core, connection, namespace):
    now = datetime.datetime.now(datetime.UTC)
    event = client.EventsV1Event(
        metadata=client.V1ObjectMeta(name="told.1"),
        event_time=now,
        reporting_controller="example.com/tests",
        reporting_instance="one",
        action="Telling",
        reason="Told",
        type="Normal",
        note="a test said so",
        regarding=client.V1ObjectReference(kind="ConfigMap", name="words", namespace=namespace),
    )
    client.EventsV1Api(connection).create_namespaced_event(namespace, event)
    [found] = core.list_namespaced_event(
        namespace, field_selector="reason=Told,involvedObject.name=words"
    ).items
    assert (found.message, found.reporting_component) == ("a test said so", "example.com/tests")
    assert found.event_time == now


class Candidate:
    """One who would lead, in a thread; `leads` is set while it does."""

    def __init__(self, name, namespace):
        self.leads = threading.Event()
        self.over = threading.Event()
        self.stopped = threading.Event()
        self._lock = LeaseLock("leader", namespace, name)
        election = leaderelection.LeaderElection(
            electionconfig.Config(
                self._lock,
                lease_duration=3,
                renew_deadline=2,
                retry_period=1,
                onstarted_leading=self._lead,
                onstopped_leading=self.stopped.set,
            )
        )
        self._thread = threading.Thread(target=election.run, daemon=True)
        self._thread.start()

    def _lead(self):
        self.leads.set()
        assert self.over.wait(WATCH_S)
        raise InterruptedError("the work is over")

    def close(self):
        self._thread.join(WATCH_S)
        close(self._lock.api_instance.api_client)


def test_one_of_two_candidates_leads_and_the_other_follows_it(kubeconfig, connection, namespace):
    config.load_kube_config(config_file=kubeconfig)
    first = Candidate("first", namespace)
    assert first.leads.wait(WATCH_S)
    second = Candidate("second", namespace)
    leases = client.CoordinationV1Api(connection)
    assert leases.read_namespaced_lease("leader", namespace).spec.holder_identity == "first"
    stream = {"func": leases.list_namespaced_lease, "namespace": namespace}
    events_of(stream, until=lambda event: event["type"] == "MODIFIED")
    assert not second.leads.is_set()
    first.over.set()
    assert first.stopped.wait(WATCH_S)
    assert second.leads.wait(WATCH_S)
    assert leases.read_namespaced_lease("leader", namespace).spec.holder_identity == "second"
    second.over.set()
    assert second.stopped.wait(WATCH_S)
    for candidate in (first, second):
        candidate.close()


def test_an_informer_follows(core, namespace):
    informer = SharedInformer(
        core.list_namespaced_config_map, namespace=namespace, label_selector="of=informer"
    )
    told = {kind: threading.Event() for kind in ("ADDED", "MODIFIED", "DELETED")}
    for kind, event in told.items():
        informer.add_event_handler(kind, lambda _, event=event: event.set())
    informer.start()
    core.create_namespaced_config_map(namespace, config_map("words", labels={"of": "informer"}, a="1"))
    assert told["ADDED"].wait(WATCH_S)
    core.patch_namespaced_config_map("words", namespace, {"data": {"a": "2"}})
    assert told["MODIFIED"].wait(WATCH_S)
    assert [one.data for one in informer.cache.list()] == [{"a": "2"}]
    core.delete_namespaced_config_map("words", namespace)
    assert told["DELETED"].wait(WATCH_S)
    assert informer.cache.list() == []
    informer.stop()


def test_yaml_is_created_and_applied_by_kind(connection, core, namespace, tmp_path):
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all([config_map("words", a="1"), deployment("web", replicas=0)]))
    utils.create_from_yaml(connection, str(file), namespace=namespace)
    assert core.read_namespaced_config_map("words", namespace).data == {"a": "1"}
    with pytest.raises(utils.FailToCreateError, match="AlreadyExists"):
        utils.create_from_yaml(connection, str(file), namespace=namespace)


def test_custom_objects_are_as_good_as_any(connection, namespace, gardens):
    objects = client.CustomObjectsApi(connection)
    place = ("clients.example.com", "v1", namespace, "gardens")
    made = objects.create_namespaced_custom_object(*place, garden("roses", word="thorn"))
    assert made["spec"] == {"size": 1, "word": "thorn"}
    status = {"spec": {"size": 5}, "status": {"phase": "Growing"}}
    told = objects.patch_namespaced_custom_object_status(*place, "roses", status)
    assert (told["spec"]["size"], told["status"]) == (1, {"phase": "Growing"})
    scale = objects.get_namespaced_custom_object_scale(*place, "roses")
    assert (scale["kind"], scale["spec"]) == ("Scale", {"replicas": 1})
    objects.patch_namespaced_custom_object_scale(*place, "roses", {"spec": {"replicas": 4}})
    changed = objects.patch_namespaced_custom_object(*place, "roses", {"spec": {"word": None}})
    assert (changed["spec"], changed["metadata"]["generation"]) == ({"size": 4}, 3)
    with pytest.raises(client.ApiException) as refused:
        objects.patch_namespaced_custom_object(*place, "roses", {"spec": {"size": "many"}})
    causes = json.loads(refused.value.body)["details"]["causes"]
    assert [(cause["reason"], cause["field"]) for cause in causes] == [
        ("FieldValueTypeInvalid", "spec.size"),
        ("FieldValueInvalid", ".spec.size"),
    ]
    objects.delete_namespaced_custom_object(*place, "roses")
    assert objects.list_namespaced_custom_object(*place)["items"] == []


def test_definitions_come_and_go(connection, dynamic_client, unique):
    """A kind is found by discovery while its definition stands, and no longer."""
    definitions = client.ApiextensionsV1Api(connection)
    body = gardens_definition()
    body["spec"]["group"] = group = f"{unique}.example.com"
    body["metadata"]["name"] = f"gardens.{group}"
    definitions.create_custom_resource_definition(body)
    stream = {
        "func": definitions.list_custom_resource_definition,
        "field_selector": f"metadata.name=gardens.{group}",
    }
    events_of(
        stream, until=lambda event: is_established(connection.sanitize_for_serialization(event["object"]))
    )
    found = dynamic_client.resources.get(api_version=f"{group}/v1", kind="Garden")
    assert (found.name, found.namespaced) == ("gardens", True)
    stream["resource_version"] = definitions.list_custom_resource_definition().metadata.resource_version
    definitions.delete_custom_resource_definition(f"gardens.{group}")
    events_of(stream, until=lambda event: event["type"] == "DELETED")
    dynamic_client.resources.invalidate_cache()
    with pytest.raises(ResourceNotFoundError):
        dynamic_client.resources.get(api_version=f"{group}/v1", kind="Garden")


def test_the_dynamic_client_finds_its_way_by_discovery(dynamic_client, namespace):
    maps = dynamic_client.resources.get(api_version="v1", kind="ConfigMap")
    assert (maps.name, maps.namespaced, maps.short_names) == ("configmaps", True, ["cm"])
    maps.create(body=config_map("words", a="1"), namespace=namespace)
    with pytest.raises(ConflictError):
        maps.create(body=config_map("words", a="1"), namespace=namespace)
    applied = maps.server_side_apply(
        body=config_map("words", b="2"), namespace=namespace, name="words", field_manager="tests"
    )
    assert applied.data.to_dict() == {"a": "1", "b": "2"}
    merged = maps.patch(body={"data": {"a": None}}, name="words", namespace=namespace, content_type=MERGE)
    assert merged.data.to_dict() == {"b": "2"}
    told = []
    for event in maps.watch(namespace=namespace, field_selector="metadata.name=words", timeout=WATCH_S):
        told.append(event["type"])
        if event["type"] == "DELETED":
            break
        maps.delete(name="words", namespace=namespace)
    assert told == ["ADDED", "DELETED"]
    with pytest.raises(NotFoundError):
        maps.get(name="words", namespace=namespace)


def test_the_dynamic_client_knows_every_kind_that_is_served(dynamic_client, api):
    assert dynamic_client.version["kubernetes"]["gitVersion"].startswith("v1.36.")
    served = {group["name"] for group in api.get("/apis")["groups"]}
    found = {resource.group for resource in dynamic_client.resources.search()}
    assert served <= found
    scale = dynamic_client.resources.get(api_version="apps/v1", kind="Deployment").subresources["scale"]
    assert scale.kind == "Scale"


async def test_the_asynchronous_client_works_alike(kubeconfig, namespace):
    async with await aio_config.new_client_from_config(config_file=kubeconfig) as connection:
        core = aio_client.CoreV1Api(connection)
        await core.create_namespaced_config_map(namespace, config_map("words", a="1"))
        await core.patch_namespaced_config_map("words", namespace, {"data": {"a": "2"}})
        told = []
        async with aio_watch.Watch() as watcher:
            async for event in watcher.stream(
                core.list_namespaced_config_map,
                namespace,
                field_selector="metadata.name=words",
                timeout_seconds=WATCH_S,
            ):
                told.append((event["type"], event["object"].data))
                if event["type"] == "DELETED":
                    break
                await core.delete_namespaced_config_map("words", namespace)
        assert told == [("ADDED", {"a": "2"}), ("DELETED", {"a": "2"})]
