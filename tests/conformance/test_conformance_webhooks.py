"""Admission webhooks: whom they are asked about, what they may do, and what happens when they do not answer."""

import json
import threading
import time

import pytest
from tests.conformance import samples
from tests.conformance.api import APPLY, MERGE
from tests.conformance.definitions import DEFINITIONS, collection, custom, definition, establish, version
from tests.conformance.webhook_server import WebhookServer, allow, deny, mutate, mutate_if

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
VALIDATING = f"{ADMISSION}/validatingwebhookconfigurations"
MUTATING = f"{ADMISSION}/mutatingwebhookconfigurations"
START = {"mutation-start": "yes"}
STAGE_1 = {"mutation-stage-1": "yes"}
STAGE_2 = {"mutation-stage-2": "yes"}
BAD_CONDITION = [{"name": "invalid-expression-1", "expression": "... [] bad expression"}]


@pytest.fixture
def webhooks(tmp_path):
    with WebhookServer(tmp_path) as server:
        server.answers |= {
            "/allow": allow,
            "/deny": deny("the webhook denied the request"),
            "/stage-1": mutate_if("mutation-start", "yes", STAGE_1),
            "/stage-2": mutate_if("mutation-stage-1", "yes", STAGE_2),
        }
        yield server


def rule(*resources, group="", version="v1", operations=("CREATE",)):
    return {
        "apiGroups": [group],
        "apiVersions": [version],
        "operations": list(operations),
        "resources": list(resources),
    }


def webhook(name, config, *rules, namespace="", **fields):
    """A webhook that is asked about one namespace, or about everything."""
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}} if namespace else {}
    return {
        "name": f"{name}.k8s.io",
        "clientConfig": config,
        "rules": list(rules),
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 10,
        "namespaceSelector": selector,
        **fields,
    }


@pytest.fixture
def register(api, unique):
    """Register webhooks until the end of the test; answers the registration's path."""
    paths = []

    def make(collection, *hooks, suffix="", **metadata):
        name = f"{unique}{suffix}"
        api.create(collection, {"metadata": {"name": name, **metadata}, "webhooks": list(hooks)})
        paths.append(f"{collection}/{name}")
        return paths[-1]

    yield make
    for path in paths:
        assert api.send("DELETE", path).code in (200, 404)


def config_map(name, **data):
    return {"metadata": {"name": name}, "data": {key.replace("_", "-"): value for key, value in data.items()}}


# Denying ------------------------------------------------------------------------------------------------------


def deny_offensive(request):
    """As upstream's sample: configmaps with one entry, and pods with one label or a slow image, are not wanted."""
    obj = request["object"]
    data, labels = obj.get("data") or {}, obj["metadata"].get("labels") or {}
    if data.get("webhook-e2e-test") == "webhook-disallow" or labels.get("webhook-e2e-test") == "disallow":
        return deny("the object contains unwanted key")(request)
    return {"allowed": True}


@pytest.mark.conformance("Admission webhook, deny create")
def test_what_a_webhook_denies_is_not_made_or_changed(api, core, namespace, webhooks, register):
    webhooks.answers["/offensive"] = deny_offensive
    waiting = threading.Event()
    webhooks.answers["/hang"] = lambda request: {"allowed": waiting.wait(20)}
    hanging = {"matchLabels": {"hang": "yes"}}
    register(
        VALIDATING,
        webhook(
            "deny",
            webhooks.client_config("/offensive"),
            rule("configmaps", "pods", operations=("CREATE", "UPDATE")),
            namespace=namespace,
        ),
        webhook(
            "hang",
            webhooks.client_config("/hang"),
            rule("pods"),
            namespace=namespace,
            timeoutSeconds=1,
            objectSelector=hanging,
        ),
    )
    maps, bad = f"{core}/configmaps", {"webhook-e2e-test": "webhook-disallow"}
    refused = api.refusal("POST", maps, {"metadata": {"name": "bad"}, "data": bad})
    assert refused.code == 400
    expected = 'admission webhook "deny.k8s.io" denied the request: the object contains unwanted key'
    assert refused.message == expected
    pod = samples.pod("bad", labels={"webhook-e2e-test": "disallow"})
    assert api.refusal("POST", f"{core}/pods", pod).message == expected
    began = time.monotonic()
    refused = api.refusal("POST", f"{core}/pods", samples.pod("hangs", labels={"hang": "yes"}))
    waiting.set()
    assert refused.code == 500
    assert 'failed calling webhook "hang.k8s.io"' in refused.message
    assert "deadline" in refused.message
    assert time.monotonic() - began < 10
    good = api.create(maps, config_map("good", fine="yes"))
    good["data"] |= bad
    assert api.refusal("PUT", f"{maps}/good", good).message == expected
    assert api.refusal("PATCH", f"{maps}/good", {"data": bad}, content_type=MERGE).message == expected
    assert api.get(f"{maps}/good")["data"] == {"fine": "yes"}
    elsewhere = "/api/v1/namespaces/default/configmaps"
    api.create(elsewhere, {"metadata": {"name": f"{namespace}-allowed"}, "data": bad})
    api.delete(f"{elsewhere}/{namespace}-allowed")


@pytest.mark.conformance("Admission webhook, deny attach")
def test_attaching_to_a_pod_is_denied(api, core, namespace, webhooks, register, kubectl):
    webhooks.answers["/attach"] = deny("attaching to pod 'one' is not allowed")
    connect = rule("pods/attach", operations=("CONNECT",))
    register(
        VALIDATING,
        webhook("attach", webhooks.client_config("/attach"), connect, namespace=namespace),
    )
    api.create(f"{core}/pods", samples.pod("one"))
    api.wait_object(f"{core}/pods/one", samples.running)
    done = kubectl("attach", "one", "-i", "-c=main", check=False)
    assert done.returncode == 1
    assert "attaching to pod 'one' is not allowed" in done.stderr


@pytest.mark.conformance("Admission webhook, deny custom resource create and delete")
def test_custom_resources_are_denied(api, namespace, unique, webhooks, register):
    kept = {"data": {"webhook-e2e-test": "webhook-nondeletable"}}

    def answer(request):
        data = (request["object"] or request["oldObject"]).get("data") or {}
        old = (request["oldObject"] or {}).get("data") or {}
        if request["operation"] == "DELETE" and old == kept["data"]:
            return deny("the custom resource cannot be deleted because it contains unwanted key and value")(
                request
            )
        if request["operation"] != "DELETE" and data.get("webhook-e2e-test") == "webhook-disallow":
            return deny("the custom resource contains unwanted data")(request)
        return {"allowed": True}

    webhooks.answers["/custom"] = answer
    group = f"{unique}.example.com"
    crd = definition(group)
    crd_path = establish(api, crd)
    foos = collection(crd, "v1", namespace)
    register(
        VALIDATING,
        webhook(
            "custom",
            webhooks.client_config("/custom"),
            rule("foos", group=group, operations=("CREATE", "UPDATE", "DELETE")),
            namespace=namespace,
        ),
    )
    unwanted = {"data": {"webhook-e2e-test": "webhook-disallow"}}
    refused = api.refusal("POST", foos, custom(crd, "v1", "unwanted", **unwanted))
    assert "the custom resource contains unwanted data" in refused.message
    api.create(foos, custom(crd, "v1", "kept", **kept))
    refused = api.refusal("PATCH", f"{foos}/kept", unwanted, content_type=MERGE)
    assert "the custom resource contains unwanted data" in refused.message
    refused = api.refusal("DELETE", f"{foos}/kept")
    assert "the custom resource cannot be deleted" in refused.message
    api.patch(f"{foos}/kept", {"data": {"webhook-e2e-test": None}})
    api.delete(f"{foos}/kept")
    api.delete(crd_path)


@pytest.mark.conformance("Admission webhook, deny custom resource definition")
def test_a_custom_resource_definition_is_denied(api, unique, webhooks, register):
    webhooks.answers["/crd"] = deny("the crd contains unwanted label")
    crds = rule("customresourcedefinitions", group="apiextensions.k8s.io", version="*")
    selector = {"matchLabels": {"test": unique}}
    register(VALIDATING, webhook("crd", webhooks.client_config("/crd"), crds, objectSelector=selector))
    crd = definition(f"{unique}.example.com")
    crd["metadata"]["labels"] = {"test": unique}
    refused = api.refusal("POST", DEFINITIONS, crd)
    assert "the crd contains unwanted label" in refused.message
    assert api.missing(f"{DEFINITIONS}/{crd['metadata']['name']}")


@pytest.mark.conformance("Admission webhook, fail closed")
def test_what_cannot_be_asked_denies(api, core, namespace, webhooks, register):
    """The server does not trust the webhook's certificate, so it cannot ask."""
    config = webhooks.client_config("/allow", trusted=False)
    register(
        VALIDATING,
        webhook("fail-closed", config, rule("configmaps"), namespace=namespace, failurePolicy="Fail"),
    )
    refused = api.refusal("POST", f"{core}/configmaps", config_map("one"))
    assert (refused.code, refused.reason) == (500, "InternalError")
    assert 'failed calling webhook "fail-closed.k8s.io"' in refused.message
    assert webhooks.seen == []


@pytest.mark.conformance("Admission webhook, honor timeout")
def test_a_webhook_has_the_time_that_it_was_given(api, core, namespace, webhooks, register):
    """The webhook takes two seconds: too long for one, not for ten."""
    never = threading.Event()
    webhooks.answers["/slow"] = lambda request: {"allowed": not never.wait(2)}
    slow = webhooks.client_config("/slow")

    def registered(policy, timeout_s):
        hook = webhook("slow", slow, rule("configmaps"), namespace=namespace)
        return {**hook, "failurePolicy": policy, "timeoutSeconds": timeout_s}

    path = register(VALIDATING, registered("Fail", 1))
    refused = api.refusal("POST", f"{core}/configmaps", config_map("fail"))
    assert refused.code == 500
    assert "deadline" in refused.message
    for name, policy, timeout_s in (("ignore", "Ignore", 1), ("long", "Fail", 10)):
        api.patch(path, {"webhooks": [registered(policy, timeout_s)]})
        api.create(f"{core}/configmaps", config_map(name))


# Mutating -----------------------------------------------------------------------------------------------------


def stages(webhooks, namespace, *resources, **where):
    """Two webhooks; the second adds its entry only when it sees that of the first."""
    return [
        webhook(
            f"adding-{stage}",
            webhooks.client_config(f"/{stage}"),
            rule(*resources, **where),
            namespace=namespace,
        )
        for stage in ("stage-1", "stage-2")
    ]


@pytest.mark.conformance("Admission webhook, ordered mutation")
def test_each_webhook_sees_what_those_before_it_made(api, core, namespace, webhooks, register):
    register(MUTATING, *stages(webhooks, namespace, "configmaps"))
    made = api.create(f"{core}/configmaps", config_map("one", mutation_start="yes"))
    assert made["data"] == START | STAGE_1 | STAGE_2
    assert api.get(f"{core}/configmaps/one")["data"] == made["data"]


@pytest.mark.conformance("Admission webhook, mutation with defaulting")
def test_what_a_webhook_adds_is_defaulted(api, core, namespace, webhooks, register):
    container = {"name": "webhook-added-init-container", "image": "webhook-added-image"}
    webhooks.answers["/init"] = mutate({"op": "add", "path": "/spec/initContainers", "value": [container]})
    hook = webhook("init", webhooks.client_config("/init"), rule("pods"), namespace=namespace)
    register(MUTATING, hook)
    made = api.create(f"{core}/pods", samples.pod("one"))
    (added,) = made["spec"]["initContainers"]
    assert added["name"] == "webhook-added-init-container"
    assert added["terminationMessagePolicy"] == "File"
    assert added["imagePullPolicy"] == "Always"


@pytest.mark.conformance("Admission webhook, mutate custom resource")
def test_custom_resources_are_mutated(api, namespace, unique, webhooks, register):
    crd = definition(f"{unique}.example.com")
    crd_path = establish(api, crd)
    register(MUTATING, *stages(webhooks, namespace, "foos", group=crd["spec"]["group"]))
    made = api.create(collection(crd, "v1", namespace), custom(crd, "v1", "one", data=START))
    assert made["data"] == START | STAGE_1 | STAGE_2
    api.delete(crd_path)


@pytest.mark.conformance("Admission webhook, mutate custom resource with pruning")
def test_what_the_schema_does_not_know_is_pruned_after_mutation(api, namespace, unique, webhooks, register):
    known = {"mutation-start": {"type": "string"}, "mutation-stage-1": {"type": "string"}}
    schema = {"type": "object", "properties": {"data": {"type": "object", "properties": known}}}
    crd = definition(f"{unique}.example.com", version("v1", schema))
    crd_path = establish(api, crd)
    register(MUTATING, *stages(webhooks, namespace, "foos", group=crd["spec"]["group"]))
    made = api.create(collection(crd, "v1", namespace), custom(crd, "v1", "one", data=START))
    assert made["data"] == START | STAGE_1
    api.delete(crd_path)


@pytest.mark.conformance("Admission webhook, mutate custom resource with different stored version")
def test_custom_resources_are_mutated_when_stored_in_another_version(
    api, namespace, unique, webhooks, register
):
    crd = definition(f"{unique}.example.com", version("v1"), version("v2", storage=False))
    crd_path = establish(api, crd)
    where = {"group": crd["spec"]["group"], "version": "*", "operations": ("CREATE", "UPDATE")}
    register(MUTATING, *stages(webhooks, namespace, "foos", **where))
    foos = collection(crd, "v1", namespace)
    assert api.create(foos, custom(crd, "v1", "one", data=START))["data"] == START | STAGE_1 | STAGE_2
    versions = [version("v1", storage=False), version("v2")]
    api.patch(crd_path, {"spec": {"versions": versions}})
    patched = api.patch(f"{foos}/one", {"dummy": "test"})
    assert patched["dummy"] == "test"
    assert patched["data"] == START | STAGE_1 | STAGE_2
    in_v2 = api.get(f"{collection(crd, 'v2', namespace)}/one")
    assert (in_v2["dummy"], in_v2["apiVersion"]) == ("test", f"{unique}.example.com/v2")
    api.delete(crd_path)


@pytest.mark.conformance("Admission webhook, admission control not allowed on webhook configuration objects")
def test_registrations_of_webhooks_are_shown_to_no_webhook(api, core, unique, webhooks, register):
    everything = rule("*", group="admissionregistration.k8s.io", version="*", operations=("*",))
    label = {"op": "add", "path": "/metadata/labels", "value": {"mutated": "yes"}}
    webhooks.answers["/label"] = mutate(label)
    register(VALIDATING, webhook("deny-all", webhooks.client_config("/deny"), everything))
    register(MUTATING, webhook("label-all", webhooks.client_config("/label"), everything))
    for kind in (VALIDATING, MUTATING):
        hook = webhook("dummy", webhooks.client_config("/allow"), rule("nothings", group="example.com"))
        path = register(kind, hook, suffix="-dummy")
        assert "mutated" not in api.get(path)["metadata"].get("labels", {})
        api.delete(path)
        assert api.missing(path)
    assert webhooks.seen == []


# Registrations -------------------------------------------------------------------------------------------------


@pytest.mark.conformance("Admission webhook, update validating webhook")
def test_a_validating_webhook_is_updated_and_patched(api, core, namespace, webhooks, register):
    config = webhooks.client_config("/deny")
    path = register(VALIDATING, webhook("deny", config, rule("configmaps"), namespace=namespace))
    maps = f"{core}/configmaps"
    assert api.refusal("POST", maps, config_map("denied")).code == 400
    obj = api.get(path)
    obj["webhooks"][0]["rules"][0]["operations"] = ["UPDATE"]
    api.update(path, obj)
    api.create(maps, config_map("made"))
    replace = [{"op": "replace", "path": "/webhooks/0/rules/0/operations", "value": ["CREATE"]}]
    api.patch(path, replace, content_type="application/json-patch+json")
    assert api.refusal("POST", maps, config_map("denied")).code == 400


@pytest.mark.conformance("Admission webhook, update mutating webhook")
def test_a_mutating_webhook_is_updated_and_patched(api, core, namespace, webhooks, register):
    config = webhooks.client_config("/stage-1")
    path = register(MUTATING, webhook("stage", config, rule("configmaps"), namespace=namespace))
    maps = f"{core}/configmaps"
    obj = api.get(path)
    obj["webhooks"][0]["rules"][0]["operations"] = ["UPDATE"]
    api.update(path, obj)
    assert api.create(maps, config_map("plain", mutation_start="yes"))["data"] == START
    replace = [{"op": "replace", "path": "/webhooks/0/rules/0/operations", "value": ["CREATE"]}]
    api.patch(path, replace, content_type="application/json-patch+json")
    assert api.create(maps, config_map("one", mutation_start="yes"))["data"] == START | STAGE_1


def register_ten(register, kind, hook, label):
    for number in range(10):
        numbered = {**hook, "name": f"hook-{number}.k8s.io"}
        register(kind, numbered, suffix=f"-{number}", labels={"e2e-list-test": label})


@pytest.mark.conformance("Admission webhook, list validating webhooks")
def test_validating_webhooks_are_listed_and_deleted_together(
    api, core, namespace, unique, webhooks, register
):
    hook = webhook("deny", webhooks.client_config("/deny"), rule("configmaps"), namespace=namespace)
    register_ten(register, VALIDATING, hook, unique)
    selector = f"e2e-list-test={unique}"
    assert len(api.items(VALIDATING, labelSelector=selector)) == 10
    assert api.refusal("POST", f"{core}/configmaps", config_map("denied")).code == 400
    api.delete(VALIDATING, labelSelector=selector)
    assert api.items(VALIDATING, labelSelector=selector) == []
    api.create(f"{core}/configmaps", config_map("made"))


@pytest.mark.conformance("Admission webhook, list mutating webhooks")
def test_mutating_webhooks_are_listed_and_deleted_together(api, core, namespace, unique, webhooks, register):
    hook = webhook("stage", webhooks.client_config("/stage-1"), rule("configmaps"), namespace=namespace)
    register_ten(register, MUTATING, hook, unique)
    selector, maps = f"e2e-list-test={unique}", f"{core}/configmaps"
    assert len(api.items(MUTATING, labelSelector=selector)) == 10
    assert api.create(maps, config_map("one", mutation_start="yes"))["data"] == START | STAGE_1
    api.delete(MUTATING, labelSelector=selector)
    assert api.items(MUTATING, labelSelector=selector) == []
    assert api.create(maps, config_map("plain", mutation_start="yes"))["data"] == START


# Match conditions ----------------------------------------------------------------------------------------------


def check_conditions_are_kept(api, register, kind, hook):
    first = [{"name": "expression-1", "expression": "object.metadata.namespace == 'production'"}]
    second = [{"name": "expression-2", "expression": "object.metadata.namespace == 'staging'"}]
    path = register(kind, {**hook, "matchConditions": first})
    obj = api.get(path)
    assert obj["webhooks"][0]["matchConditions"] == first
    obj["webhooks"][0]["matchConditions"] = second
    api.update(path, obj)
    assert api.get(path)["webhooks"][0]["matchConditions"] == second


@pytest.mark.conformance(
    "Validating Admission webhook, create and update validating webhook configuration with matchConditions"
)
def test_match_conditions_of_validating_webhooks_are_kept(api, namespace, webhooks, register):
    hook = webhook("deny", webhooks.client_config("/deny"), rule("configmaps"), namespace=namespace)
    check_conditions_are_kept(api, register, VALIDATING, hook)


@pytest.mark.conformance(
    "Mutating Admission webhook, create and update mutating webhook configuration with matchConditions"
)
def test_match_conditions_of_mutating_webhooks_are_kept(api, namespace, webhooks, register):
    hook = webhook("stage", webhooks.client_config("/stage-1"), rule("configmaps"), namespace=namespace)
    check_conditions_are_kept(api, register, MUTATING, hook)


def check_bad_condition(api, kind, hook, unique):
    obj = {"metadata": {"name": unique}, "webhooks": [{**hook, "matchConditions": BAD_CONDITION}]}
    refused = api.refusal("POST", kind, obj)
    assert (refused.code, refused.reason) == (422, "Invalid")
    assert "compilation failed" in refused.message
    assert "webhooks[0].matchConditions[0].expression" in refused.message


@pytest.mark.conformance(
    "Validing Admission webhook, reject validating webhook configurations with invalid matchConditions"
)
def test_bad_match_conditions_of_validating_webhooks_are_refused(api, unique, webhooks):
    hook = webhook("deny", webhooks.client_config("/deny"), rule("configmaps"))
    check_bad_condition(api, VALIDATING, hook, unique)


@pytest.mark.conformance(
    "Mutating Admission webhook, reject mutating webhook configurations with invalid matchConditions"
)
def test_bad_match_conditions_of_mutating_webhooks_are_refused(api, unique, webhooks):
    hook = webhook("stage", webhooks.client_config("/stage-1"), rule("configmaps"))
    check_bad_condition(api, MUTATING, hook, unique)


@pytest.mark.conformance("Mutating Admission webhook, mutating webhook excluding object with specific name")
def test_match_conditions_choose_by_name(api, core, namespace, webhooks, register):
    config = webhooks.client_config("/stage-1")
    condition = [{"name": "skip-me", "expression": "object.metadata.name != 'skip-me'"}]
    register(
        MUTATING,
        webhook("stage", config, rule("configmaps"), namespace=namespace, matchConditions=condition),
    )
    maps = f"{core}/configmaps"
    assert api.create(maps, config_map("skip-me", mutation_start="yes"))["data"] == START
    assert api.create(maps, config_map("mutate-me", mutation_start="yes"))["data"] == START | STAGE_1


def test_what_webhooks_are_shown_is_an_admission_review(api, core, namespace, webhooks, register):
    register(
        VALIDATING, webhook("see", webhooks.client_config("/allow"), rule("configmaps"), namespace=namespace)
    )
    query = {"fieldManager": "tests", "force": "true"}
    applied = {"apiVersion": "v1", "kind": "ConfigMap", **config_map("one", a="b")}
    api.call("PATCH", f"{core}/configmaps/one", applied, query=query, content_type=APPLY)
    (request,) = webhooks.seen
    assert request["operation"] == "CREATE"
    assert request["resource"] == {"group": "", "version": "v1", "resource": "configmaps"}
    assert (request["namespace"], request["name"]) == (namespace, "one")
    assert request["userInfo"]["username"] == "kubernetes-admin"
    assert json.dumps(request["object"]["data"]) == '{"a": "b"}'
