"""Which writes webhooks see, what they are told, and what becomes of what they say."""

from __future__ import annotations

import pytest
from tests.unit.apiserver_webhooks.extension import add_endpoint
from tests.unit.apiserver_webhooks.hooks import (
    ALL_CONFIG_MAPS,
    MUTATING,
    VALIDATING,
    Hook,
    StartHook,
    add_label,
    allow,
    deny,
    patched,
    register,
    settle,
)

from mamekube.apiserver.server import ApiServer
from mamekube.client.client import Client
from mamekube.objects.meta import Object, labels_of
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError

CONFIG_MAPS = Resource(group="", version="v1", plural="configmaps", kind="ConfigMap")
DEPLOYMENTS = Resource(group="apps", version="v1", plural="deployments", kind="Deployment")
NAMESPACES = Resource(group="", version="v1", plural="namespaces", kind="Namespace", namespaced=False)
SCALERS_V1 = Resource(
    group="autoscaling", version="v1", plural="horizontalpodautoscalers", kind="HorizontalPodAutoscaler"
)


def config_map(name: str, **meta: object) -> Object:
    return {"metadata": {"name": name, "namespace": "default", **meta}, "data": {"a": "1"}}


async def test_a_mutating_webhook_changes_what_is_stored(client: Client, start_hook: StartHook) -> None:
    await register(client, MUTATING, await start_hook(add_label("seen")))
    made = await client.create(CONFIG_MAPS, config_map("one"))
    assert labels_of(made) == {"seen": "yes"}


async def test_a_validating_webhook_refuses_with_its_own_words(client: Client, start_hook: StartHook) -> None:
    def decide(request: Object) -> Object:
        return deny(request, message="not today", reason="Forbidden", code=403)

    await register(client, VALIDATING, await start_hook(decide))
    with pytest.raises(StatusError) as refused:
        await client.create(CONFIG_MAPS, config_map("one"))
    assert refused.value.message == 'admission webhook "hooks.example.com" denied the request: not today'
    assert (refused.value.code, refused.value.reason) == (403, "Forbidden")


async def test_a_refusal_without_a_reason_is_400(client: Client, start_hook: StartHook) -> None:
    await register(client, VALIDATING, await start_hook(lambda request: deny(request, code=200)))
    with pytest.raises(StatusError) as refused:
        await client.create(CONFIG_MAPS, config_map("one"))
    message = 'admission webhook "hooks.example.com" denied the request without explanation'
    assert (refused.value.code, refused.value.message) == (400, message)


async def test_the_review_says_who_does_what(
    server: ApiServer, client: Client, start_hook: StartHook
) -> None:
    hook = await start_hook()
    await register(client, VALIDATING, hook, timeoutSeconds=7)
    alice = server.client("alice", ("system:masters",))
    await alice.create(CONFIG_MAPS, config_map("one"))
    await alice.patch(CONFIG_MAPS, "one", {"data": {"a": "2"}}, namespace="default")
    await alice.delete(CONFIG_MAPS, "one", namespace="default")
    created, updated, deleted = hook.requests
    kind = {"group": "", "version": "v1", "kind": "ConfigMap"}
    resource = {"group": "", "version": "v1", "resource": "configmaps"}
    assert created["kind"] == created["requestKind"] == kind
    assert created["resource"] == created["requestResource"] == resource
    assert (created["name"], created["namespace"], created["operation"]) == ("one", "default", "CREATE")
    assert created["userInfo"]["username"] == "alice"
    assert created["userInfo"]["groups"] == ["system:masters", "system:authenticated"]
    assert created["object"]["data"] == {"a": "1"} and created["oldObject"] is None
    assert created["options"]["kind"] == "CreateOptions" and created["dryRun"] is False
    assert (updated["operation"], updated["oldObject"]["data"]) == ("UPDATE", {"a": "1"})
    assert updated["object"]["data"] == {"a": "2"}
    assert (deleted["operation"], deleted["object"]) == ("DELETE", None)
    assert deleted["oldObject"]["data"] == {"a": "2"}
    assert hook.paths[0] == "/hook?timeout=7s"


async def test_the_review_has_the_options_that_the_client_named(
    server: ApiServer, client: Client, start_hook: StartHook
) -> None:
    hook = await start_hook()
    await register(client, VALIDATING, hook)
    await client.create(CONFIG_MAPS, config_map("one"))
    body = {"data": {"a": "2"}, "apiVersion": "v1", "kind": "ConfigMap"}
    await client.patch(
        CONFIG_MAPS, "one", body, namespace="default", patch_type="apply", field_manager="me", force=True
    )
    await client.delete(CONFIG_MAPS, "one", namespace="default", grace_period_s=-3, propagation="Background")
    await client.create(CONFIG_MAPS, config_map("two", labels={"all": "yes"}))
    await client.delete_collection(CONFIG_MAPS, namespace="default", label_selector="all=yes")
    created, applied, deleted, _, together = hook.requests
    assert created["options"] == {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"}
    assert applied["options"] == {
        "kind": "UpdateOptions",
        "apiVersion": "meta.k8s.io/v1",
        "fieldManager": "me",
    }
    assert deleted["options"] == {
        "kind": "DeleteOptions",
        "apiVersion": "meta.k8s.io/v1",
        "gracePeriodSeconds": 1,
        "propagationPolicy": "Background",
    }
    assert "name" not in together and together["oldObject"]["metadata"]["name"] == "two"


async def test_a_name_is_made_after_mutation_and_shown_to_who_validates(
    client: Client, start_hook: StartHook
) -> None:
    mutating, validating = await start_hook(add_label("seen")), await start_hook()
    await register(client, MUTATING, mutating)
    await register(client, VALIDATING, validating)
    unnamed = config_map("", generateName="some-", uid="mine", creationTimestamp="2001-01-01T00:00:00Z")
    del unnamed["metadata"]["name"]
    made = await client.create(CONFIG_MAPS, unnamed)
    (before,), (after,) = mutating.requests, validating.requests
    assert "name" not in before
    assert not {"name", "uid"} & before["object"]["metadata"].keys()
    assert before["object"]["metadata"].get("creationTimestamp") is None
    assert after["name"] == after["object"]["metadata"]["name"] == made["metadata"]["name"]


async def test_a_stale_update_is_shown_to_mutating_webhooks_as_it_was_sent(
    client: Client, start_hook: StartHook
) -> None:
    mutating, validating = await start_hook(add_label("seen")), await start_hook()
    await client.create(CONFIG_MAPS, config_map("one"))
    await register(client, MUTATING, mutating)
    await register(client, VALIDATING, validating)
    with pytest.raises(StatusError) as refused:
        await client.update(CONFIG_MAPS, config_map("one", resourceVersion="1"))
    assert refused.value.reason == "Conflict"
    await client.update(CONFIG_MAPS, config_map("one"))
    stale, unconditional = mutating.requests
    assert stale["object"]["metadata"]["resourceVersion"] == "1"
    assert "resourceVersion" not in unconditional["object"]["metadata"]
    (seen,) = validating.requests
    assert seen["object"]["metadata"]["resourceVersion"] == seen["oldObject"]["metadata"]["resourceVersion"]


async def test_mutating_webhooks_see_what_those_before_them_did(
    client: Client, start_hook: StartHook
) -> None:
    def second(request: Object) -> Object:
        labels = request["object"]["metadata"]["labels"]
        assert labels == {"first": "yes"}
        return patched(request, {"op": "add", "path": "/metadata/labels/second", "value": "yes"})

    await register(client, MUTATING, await start_hook(second), name="b")
    await register(client, MUTATING, await start_hook(add_label("first")), name="a")
    made = await client.create(CONFIG_MAPS, config_map("one"))
    assert labels_of(made) == {"first": "yes", "second": "yes"}


async def test_a_webhook_is_called_again_when_a_later_one_changed_the_object(
    client: Client, start_hook: StartHook
) -> None:
    first, second = await start_hook(add_label("first")), await start_hook(add_label("second"))
    never = await start_hook()
    await register(client, MUTATING, never, name="a", reinvocationPolicy="Never")
    await register(client, MUTATING, first, name="b", reinvocationPolicy="IfNeeded")
    await register(client, MUTATING, second, name="c", reinvocationPolicy="IfNeeded")
    await client.create(CONFIG_MAPS, config_map("one"))
    assert (len(never.requests), len(first.requests), len(second.requests)) == (1, 2, 1)
    assert labels_of(first.requests[1]["object"]) == {"first": "yes", "second": "yes"}


async def test_nobody_is_called_again_where_nothing_changed(client: Client, start_hook: StartHook) -> None:
    hook = await start_hook()
    await register(client, MUTATING, hook, reinvocationPolicy="IfNeeded")
    await client.create(CONFIG_MAPS, config_map("one"))
    assert len(hook.requests) == 1


async def test_what_a_webhook_adds_is_defaulted_and_unknown_fields_go(
    client: Client, start_hook: StartHook
) -> None:
    def decide(request: Object) -> Object:
        container = {"name": "init", "image": "busybox", "bogus": 1}
        return patched(
            request, {"op": "add", "path": "/spec/template/spec/initContainers", "value": [container]}
        )

    rule = {
        "operations": ["CREATE"],
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "resources": ["deployments"],
    }
    await register(client, MUTATING, await start_hook(decide), rules=[rule])
    template = {
        "metadata": {"labels": {"app": "a"}},
        "spec": {"containers": [{"name": "main", "image": "busybox"}]},
    }
    spec = {"selector": {"matchLabels": {"app": "a"}}, "template": template}
    made = await client.create(DEPLOYMENTS, {"metadata": {"name": "a", "namespace": "default"}, "spec": spec})
    (added,) = made["spec"]["template"]["spec"]["initContainers"]
    assert added["terminationMessagePolicy"] == "File" and "bogus" not in added


async def test_a_scale_is_shown_as_one_and_may_be_changed(client: Client, start_hook: StartHook) -> None:
    def decide(request: Object) -> Object:
        assert request["kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
        assert (request["subResource"], request["object"]["spec"]["replicas"]) == ("scale", 9)
        return patched(request, {"op": "replace", "path": "/spec/replicas", "value": 4})

    rule = {
        "operations": ["UPDATE"],
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "resources": ["deployments/scale"],
    }
    await register(client, MUTATING, await start_hook(decide), rules=[rule])
    template = {
        "metadata": {"labels": {"app": "a"}},
        "spec": {"containers": [{"name": "main", "image": "busybox"}]},
    }
    spec = {"selector": {"matchLabels": {"app": "a"}}, "template": template}
    await client.create(DEPLOYMENTS, {"metadata": {"name": "a", "namespace": "default"}, "spec": spec})
    patch = {"spec": {"replicas": 9}}
    await client.patch(DEPLOYMENTS, "a", patch, namespace="default", subresource="scale")
    assert (await client.get(DEPLOYMENTS, "a", namespace="default"))["spec"]["replicas"] == 4


async def test_an_equivalent_version_is_converted_for_the_webhook(
    client: Client, start_hook: StartHook
) -> None:
    hook = await start_hook()
    rule = {
        "operations": ["CREATE"],
        "apiGroups": ["autoscaling"],
        "apiVersions": ["v2"],
        "resources": ["horizontalpodautoscalers"],
    }
    exact = await start_hook()
    await register(client, VALIDATING, hook, rules=[rule])
    await register(client, VALIDATING, exact, name="exact", rules=[rule], matchPolicy="Exact")
    spec = {
        "scaleTargetRef": {"kind": "Deployment", "name": "a", "apiVersion": "apps/v1"},
        "maxReplicas": 3,
        "targetCPUUtilizationPercentage": 50,
    }
    await client.create(SCALERS_V1, {"metadata": {"name": "a", "namespace": "default"}, "spec": spec})
    (request,) = hook.requests
    assert (request["kind"]["version"], request["requestKind"]["version"]) == ("v2", "v1")
    assert request["object"]["apiVersion"] == "autoscaling/v2"
    assert request["object"]["spec"]["metrics"][0]["type"] == "Resource"
    assert exact.requests == []


@pytest.mark.parametrize(
    ("rule", "called"),
    [
        ({"operations": ["UPDATE"]}, False),
        ({"operations": ["CREATE", "DELETE"]}, True),
        ({"resources": ["*"]}, True),
        ({"resources": ["*/*"]}, True),
        ({"resources": ["configmaps/status"]}, False),
        ({"apiGroups": ["*"], "apiVersions": ["*"]}, True),
        ({"apiGroups": ["apps"]}, False),
        ({"scope": "Cluster"}, False),
        ({"scope": "Namespaced"}, True),
    ],
)
async def test_rules_choose_the_writes(
    client: Client, start_hook: StartHook, rule: Object, called: bool
) -> None:
    hook = await start_hook()
    await register(client, VALIDATING, hook, rules=[{**ALL_CONFIG_MAPS, **rule}])
    await client.create(CONFIG_MAPS, config_map("one"))
    assert bool(hook.requests) is called


async def test_selectors_choose_namespaces_and_objects(client: Client, start_hook: StartHook) -> None:
    in_team, labelled = await start_hook(), await start_hook()
    await register(
        client, VALIDATING, in_team, name="team", namespaceSelector={"matchLabels": {"team": "red"}}
    )
    await register(
        client, VALIDATING, labelled, name="labelled", objectSelector={"matchLabels": {"app": "a"}}
    )
    await client.create(NAMESPACES, {"metadata": {"name": "red", "labels": {"team": "red"}}})
    await client.create(CONFIG_MAPS, config_map("one"))
    await client.create(CONFIG_MAPS, config_map("two", namespace="red"))
    await client.create(CONFIG_MAPS, config_map("three", labels={"app": "a"}))
    assert [request["name"] for request in in_team.requests] == ["two"]
    assert [request["name"] for request in labelled.requests] == ["three"]


async def test_an_object_that_loses_the_label_is_seen_once_more(
    client: Client, start_hook: StartHook
) -> None:
    hook = await start_hook()
    await register(client, VALIDATING, hook, objectSelector={"matchLabels": {"app": "a"}})
    await client.create(CONFIG_MAPS, config_map("one", labels={"app": "a"}))
    for data in ("2", "3"):
        patch = {"metadata": {"labels": {"app": None}}, "data": {"a": data}}
        await client.patch(CONFIG_MAPS, "one", patch, namespace="default")
    assert [request["operation"] for request in hook.requests] == ["CREATE", "UPDATE"]


async def test_registrations_are_shown_to_no_webhook(client: Client, start_hook: StartHook) -> None:
    rule = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*", "*"]}
    rule["resources"] = ["*/*"]
    mutating, validating = await start_hook(add_label("bad")), await start_hook(deny)
    await register(client, MUTATING, mutating, name="m", rules=[rule])
    await register(client, VALIDATING, validating, name="v", rules=[rule])
    hook = await start_hook()
    await register(client, VALIDATING, hook, name="other")
    assert labels_of(await client.get(VALIDATING, "other")) == {}
    for resource, name in ((VALIDATING, "v"), (MUTATING, "m"), (VALIDATING, "other")):
        await client.delete(resource, name)
    assert mutating.requests == validating.requests == []


async def test_a_deleted_configuration_calls_nobody(client: Client, start_hook: StartHook) -> None:
    hook = await start_hook(deny)
    await register(client, VALIDATING, hook)
    await client.delete(VALIDATING, "hooks")
    await settle()
    await client.create(CONFIG_MAPS, config_map("one"))
    assert hook.requests == []


async def test_a_service_is_reached_at_a_ready_pod_under_its_own_name(
    server: ApiServer, client: Client, start_hook: StartHook
) -> None:
    hook = await start_hook(allow, "hook.default.svc")
    await add_service(server, hook, ready=True)
    service = {"namespace": "default", "name": "hook", "path": "/check", "port": 8443}
    config = {"service": service, "caBundle": hook.authority.bundle}
    await register(client, VALIDATING, hook, clientConfig=config)
    await client.create(CONFIG_MAPS, config_map("one"))
    assert hook.paths == ["/check?timeout=10s"]


@pytest.mark.parametrize(
    ("service", "why"),
    [
        ({"name": "gone", "port": 8443}, 'service "gone" not found'),
        ({"name": "hook", "port": 1}, 'no service port 1 found for service "hook"'),
        ({"name": "hook", "port": 8443}, 'no endpoints available for service "hook"'),
    ],
)
async def test_a_service_that_leads_nowhere_is_a_failed_call(
    server: ApiServer, client: Client, start_hook: StartHook, service: Object, why: str
) -> None:
    hook = await start_hook()
    await add_service(server, hook, ready=False)
    config = {"service": {"namespace": "default", **service}}
    await register(client, VALIDATING, hook, clientConfig=config)
    with pytest.raises(StatusError) as refused:
        await client.create(CONFIG_MAPS, config_map("one"))
    assert refused.value.message == (
        'Internal error occurred: failed calling webhook "hooks.example.com": failed to call webhook: Post '
        f'"https://{service["name"]}.default.svc:{service["port"]}/?timeout=10s": {why}'
    )


async def add_service(server: ApiServer, hook: Hook, *, ready: bool) -> None:
    services = Resource(group="", version="v1", plural="services", kind="Service")
    service = {"metadata": {"name": "hook", "namespace": "default"}, "spec": {"ports": [{"port": 8443}]}}
    await server.client("admin", ("system:masters",)).create(services, service)
    await add_endpoint(server, "hook", port=hook.port, ready=ready)


async def test_questions_of_access_are_shown_to_webhooks(client: Client, start_hook: StartHook) -> None:
    refusing = await start_hook(lambda request: deny(request, message="ask somebody else"))
    rule = {
        "operations": ["CREATE"],
        "apiGroups": ["authorization.k8s.io"],
        "apiVersions": ["v1"],
        "resources": ["*"],
    }
    await register(client, VALIDATING, refusing, rules=[rule])
    reviews = Resource(
        group="authorization.k8s.io",
        version="v1",
        plural="selfsubjectaccessreviews",
        kind="SelfSubjectAccessReview",
        namespaced=False,
    )
    spec = {"nonResourceAttributes": {"path": "/", "verb": "get"}}
    with pytest.raises(StatusError, match="ask somebody else"):
        await client.create(reviews, {"apiVersion": reviews.api_version, "kind": reviews.kind, "spec": spec})
    (request,) = refusing.requests
    assert (request["kind"]["kind"], request["object"]["spec"]) == (reviews.kind, spec)
