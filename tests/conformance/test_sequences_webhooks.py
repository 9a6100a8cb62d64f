"""Admission webhooks, by the very requests of upstream's suite: behind a Service, and with its markers."""

import base64
import itertools
import json
import random
import threading

import pytest
from tests.conformance import samples
from tests.conformance.api import JSON_PATCH, STRATEGIC, eventually
from tests.conformance.definitions import DEFINITIONS, OPEN, collection
from tests.conformance.https_server import ADDRESS
from tests.conformance.test_sequences_definitions import create as create_definition
from tests.conformance.test_sequences_definitions import remove as remove_definition
from tests.conformance.typed import Typed
from tests.conformance.webhook_server import WebhookServer

GROUP = "admissionregistration.k8s.io"
ADMISSION = f"/apis/{GROUP}/v1"
VALIDATING = f"{ADMISSION}/validatingwebhookconfigurations"
MUTATING = f"{ADMISSION}/mutatingwebhookconfigurations"
KINDS = {VALIDATING: "ValidatingWebhookConfiguration", MUTATING: "MutatingWebhookConfiguration"}
SERVICE = "e2e-test-webhook"
UNWANTED = {"webhook-e2e-test": "webhook-disallow"}
START = {"mutation-start": "yes"}
STAGE_1 = {**START, "mutation-stage-1": "yes"}
STAGE_2 = {**STAGE_1, "mutation-stage-2": "yes"}


FOREVER = threading.Event()
"""Set by who has seen that nobody waits for the answer."""


# What upstream's image answers ------------------------------------------------------------------------------------


def verdict(*complaints):
    if complaints:
        return {"allowed": False, "status": {"metadata": {}, "message": "; ".join(complaints)}}
    return {"allowed": True}


def patched(*operations):
    patch = base64.b64encode(json.dumps(operations).encode()).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": patch}


def of_pods(request):
    pod = request["object"]
    assert request["resource"] == {"group": "", "version": "v1", "resource": "pods"}
    assert (pod["kind"], pod["apiVersion"]) == ("Pod", "v1")
    labels = pod["metadata"].get("labels", {})
    if labels.get("webhook-e2e-test") == "wait-forever":
        FOREVER.wait(20)
    complaints = []
    if "webhook-disallow" in pod["spec"]["containers"][0]["name"]:
        complaints.append("the pod contains unwanted container name")
    if labels.get("webhook-e2e-test") == "webhook-disallow":
        complaints.append("the pod contains unwanted label")
    return verdict(*complaints)


def of_config_maps(request):
    data = (request["object"] or {}).get("data") or {}
    unwanted = data.get("webhook-e2e-test") == "webhook-disallow"
    return verdict(*["the configmap contains unwanted key and value"] * unwanted)


def staged(request):
    data = request["object"].get("data", {})
    operations = [
        {"op": "add", "path": f"/data/mutation-stage-{stage}", "value": "yes"}
        for stage, before in ((1, "mutation-start"), (2, "mutation-stage-1"))
        if data.get(before) == "yes"
    ]
    return patched(*operations)


def of_custom_resources(request):
    data = (request["object"] or {}).get("data") or {}
    old = (request["oldObject"] or {}).get("data") or {}
    if request["operation"] == "DELETE":
        kept = old.get("webhook-e2e-test") == "webhook-nondeletable"
        text = "the custom resource cannot be deleted because it contains unwanted key and value"
        return verdict(*[text] * kept)
    unwanted = data.get("webhook-e2e-test") == "webhook-disallow"
    return verdict(*["the custom resource contains unwanted data"] * unwanted)


def of_definitions(request):
    resource = {"group": "apiextensions.k8s.io", "version": "v1", "resource": "customresourcedefinitions"}
    assert request["resource"] == resource
    assert request["object"]["apiVersion"] == "apiextensions.k8s.io/v1"
    unwanted = UNWANTED.items() <= request["object"]["metadata"].get("labels", {}).items()
    return verdict(*["the crd contains unwanted label"] * unwanted)


def of_attaching(request):
    """Denied is one way of attaching to one pod; what else is asked about is a mistake."""
    options = request["object"]
    assert request["resource"] == {"group": "", "version": "v1", "resource": "pods"}
    assert request["subResource"] == "attach"
    assert (options["kind"], options["apiVersion"]) == ("PodAttachOptions", "v1")
    this = (
        request["name"] == "to-be-attached-pod" and options["stdin"] and options["container"] == "container1"
    )
    return verdict(*["attaching to pod 'to-be-attached-pod' is not allowed"] * this)


def delayed(request):
    threading.Event().wait(2)
    return verdict()


INIT = [{"image": "webhook-added-image", "name": "webhook-added-init-container", "resources": {}}]
ANSWERS = {
    "/pods": of_pods,
    "/configmaps": of_config_maps,
    "/mutating-configmaps": staged,
    "/mutating-pods": lambda request: patched({"op": "add", "path": "/spec/initContainers", "value": INIT}),
    "/custom-resource": of_custom_resources,
    "/mutating-custom-resource": staged,
    "/crd": of_definitions,
    "/pods/attach": of_attaching,
    "/always-deny": lambda request: verdict("this webhook denies all requests"),
    "/always-allow-delay-5s": delayed,
    "/add-label": lambda request: patched({"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}),
}


# The suite's fixtures ---------------------------------------------------------------------------------------------


class Suite:
    """What each test of the suite starts with: a labelled namespace, one for markers, the webhooks' Service."""

    def __init__(self, api, namespace, server):
        self.api, self.name, self.server = api, namespace, server
        self.typed = Typed(api)
        self.markers = f"{namespace}-markers"
        self.maps = f"/api/v1/namespaces/{namespace}/configmaps"
        self.pods = f"/api/v1/namespaces/{namespace}/pods"
        labels = {"metadata": {"labels": {namespace: "true"}}}
        api.patch(f"/api/v1/namespaces/{namespace}", labels, content_type=STRATEGIC)
        self.make_namespace(self.markers, {self.markers: "true"})
        spec = {"type": "ExternalName", "externalName": ADDRESS, "ports": [{"port": server.port}]}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": SERVICE}, "spec": spec}
        self.typed.create(f"/api/v1/namespaces/{namespace}/services", service)
        self.numbers = itertools.count(1)

    def make_namespace(self, name, labels):
        labels = {"e2e-framework": "webhook", "pod-security.kubernetes.io/enforce": "baseline", **labels}
        metadata = {"name": name, "labels": labels}
        self.typed.create(
            "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        )

    def hook(self, name, path, *operations, resources=("configmaps",), **fields):
        """As the suite writes them: what it leaves out is left to the server."""
        group, versions = fields.pop("group", ""), fields.pop("versions", ["v1"])
        rule = {"apiGroups": [group], "apiVersions": versions, "resources": list(resources)}
        service = {"namespace": self.name, "name": SERVICE, "path": path, "port": self.server.port}
        return {
            "name": f"{name}.k8s.io",
            "rules": [{"operations": list(operations or ("CREATE",)), **rule}],
            "clientConfig": {"service": service, "caBundle": self.server.bundle},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1", "v1beta1"],
            "namespaceSelector": {"matchLabels": {self.name: "true"}},
            **fields,
        }

    def unreachable(self, hook):
        """Without the authority the server does not believe the webhook."""
        return {**hook, "clientConfig": {"service": hook["clientConfig"]["service"]}}

    def deny_config_maps(self):
        skipping = {"key": "skip-webhook-admission", "operator": "NotIn", "values": ["yes"]}
        selector = {"matchLabels": {self.name: "true"}, "matchExpressions": [skipping]}
        operations = ("CREATE", "UPDATE", "DELETE")
        return self.hook(
            "deny-unwanted-configmap-data", "/configmaps", *operations, namespaceSelector=selector
        )

    def mutate_config_maps(self, stage=1, **fields):
        return self.hook(f"adding-configmap-data-stage-{stage}", "/mutating-configmaps", **fields)

    def create(self, kind, *hooks, suffix="", **metadata):
        """Register, with the webhook that denies markers."""
        ready = self.hook(
            "is-webhook-configuration-ready",
            "/always-deny",
            failurePolicy="Ignore",
            namespaceSelector={"matchLabels": {self.markers: "true"}},
            objectSelector={"matchLabels": {self.name: "true"}},
        )
        obj = {
            "apiVersion": f"{GROUP}/v1",
            "kind": KINDS[kind],
            "metadata": {"name": f"{self.name}{suffix}", **metadata},
            "webhooks": [*hooks, ready],
        }
        return self.typed.create(kind, obj)

    def register(self, kind, *hooks, **more):
        made = self.create(kind, *hooks, **more)
        self.wait_ready()
        return f"{kind}/{made['metadata']['name']}"

    def wait_ready(self):
        """The suite's way: markers, until one is denied."""

        def denied():
            marker = {"name": f"marker-{next(self.numbers)}", "labels": {self.name: "true"}}
            answer = self.api.send(
                "POST", f"/api/v1/namespaces/{self.markers}/configmaps", {"metadata": marker}
            )
            assert answer.code < 300 or "denied" in answer.object["message"], answer.body
            return answer.code >= 400

        eventually(denied, "the registration to act")

    def config_map(self, name, data=None):
        data = {"data": data} if data else {}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **data}

    def fresh_map(self, data):
        return self.config_map(f"{random.getrandbits(64):x}", data)


@pytest.fixture
def suite(api, namespace, tmp_path):
    with WebhookServer(tmp_path, host=f"{SERVICE}.{namespace}.svc") as server:
        server.answers |= ANSWERS
        suite = Suite(api, namespace, server)
        yield suite
        for kind in KINDS:
            for one in api.items(kind):
                if one["metadata"]["name"].startswith(namespace):
                    api.delete(f"{kind}/{one['metadata']['name']}")
        for one in api.items("/api/v1/namespaces"):
            if one["metadata"]["name"].startswith(f"{namespace}-"):
                api.delete(f"/api/v1/namespaces/{one['metadata']['name']}")


def pod(name, container, **labels):
    obj = samples.pod(name, labels={key.replace("_", "-"): value for key, value in labels.items()})
    obj["spec"]["containers"][0]["name"] = container
    return {"apiVersion": "v1", "kind": "Pod", **obj}


# Denying ----------------------------------------------------------------------------------------------------------


@pytest.mark.conformance("Admission webhook, deny create")
def test_pods_and_config_maps_are_denied(api, suite):
    """With one webhook among them that cannot be called and may fail, and one that never answers."""
    pods = suite.hook(
        "deny-unwanted-pod-container-name-and-label", "/pods", resources=["pods"], timeoutSeconds=2
    )
    fail_open = suite.unreachable(suite.hook("fail-open", "/configmaps", failurePolicy="Ignore"))
    suite.register(VALIDATING, pods, suite.deny_config_maps(), fail_open)
    refused = suite.typed.refusal(
        suite.pods, pod("disallowed-pod", "webhook-disallow", webhook_e2e_test="webhook-disallow")
    )
    assert "the pod contains unwanted container name" in refused.message
    assert "the pod contains unwanted label" in refused.message
    refused = suite.typed.refusal(
        suite.pods, pod("hanging-pod", "wait-forever", webhook_e2e_test="wait-forever")
    )
    assert "webhook" in refused.message
    assert "deadline" in refused.message
    FOREVER.set()
    assert api.refusal("GET", f"{suite.pods}/hanging-pod").reason == "NotFound"
    expected = "the configmap contains unwanted key and value"
    unwanted = suite.config_map("disallowed-configmap", UNWANTED)
    assert expected in suite.typed.refusal(suite.maps, unwanted).message
    suite.typed.create(suite.maps, suite.config_map("allowed-configmap", {"admit": "this"}))
    path = f"{suite.maps}/allowed-configmap"
    obj = api.get(path)
    obj["data"] |= UNWANTED
    assert expected in suite.typed.refusal(path, obj, "PUT").message
    assert expected in api.refusal("PATCH", path, {"data": UNWANTED}, content_type=STRATEGIC).message
    skipped = f"{suite.name}-exempted"
    suite.make_namespace(skipped, {"skip-webhook-admission": "yes", suite.name: "true"})
    suite.typed.create(f"/api/v1/namespaces/{skipped}/configmaps", unwanted)


@pytest.mark.conformance("Admission webhook, deny attach")
def test_kubectl_attach_says_what_the_webhook_said(api, suite, kubectl):
    attach = suite.hook("deny-attaching-pod", "/pods/attach", "CONNECT", resources=["pods/attach"])
    suite.register(VALIDATING, attach)
    suite.typed.create(suite.pods, pod("to-be-attached-pod", "container1"))
    api.wait_object(f"{suite.pods}/to-be-attached-pod", samples.running)
    done = kubectl(
        "attach", f"--namespace={suite.name}", "to-be-attached-pod", "-i", "-c=container1", check=False
    )
    assert done.returncode != 0
    assert "attaching to pod 'to-be-attached-pod' is not allowed" in done.stderr


@pytest.mark.conformance("Admission webhook, fail closed")
def test_what_cannot_be_called_denies_with_an_internal_error(suite):
    failing = {"key": "fail-closed-webhook", "operator": "In", "values": ["yes"]}
    selector = {"matchLabels": {suite.name: "true"}, "matchExpressions": [failing]}
    hook = suite.hook("fail-closed", "/configmaps", failurePolicy="Fail", namespaceSelector=selector)
    suite.register(VALIDATING, suite.unreachable(hook))
    name = f"{suite.name}-fail-closed"
    suite.make_namespace(name, {"fail-closed-webhook": "yes", suite.name: "true"})
    refused = suite.typed.refusal(f"/api/v1/namespaces/{name}/configmaps", suite.config_map("foo"))
    assert (refused.code, refused.reason) == (500, "InternalError")


@pytest.mark.conformance("Admission webhook, honor timeout")
def test_the_message_of_a_timeout_names_the_call(suite):
    def slow(**fields):
        hook = suite.hook("allow-configmap-with-delay-webhook", "/always-allow-delay-5s", **fields)
        return suite.register(VALIDATING, hook)

    obj, path = (
        suite.config_map("e2e-test-slow-webhook-configmap"),
        f"{suite.maps}/e2e-test-slow-webhook-configmap",
    )
    registration = slow(failurePolicy="Fail", timeoutSeconds=1)
    refused = suite.typed.refusal(suite.maps, obj)
    assert "context deadline exceeded" in refused.message
    assert "/always-allow-delay-5s?timeout=1s" in refused.message
    suite.typed.delete(registration)
    for fields in (
        {"failurePolicy": "Ignore", "timeoutSeconds": 1},
        {"failurePolicy": "Fail", "timeoutSeconds": 10},
        {"failurePolicy": "Fail"},
    ):
        registration = slow(**fields)
        suite.typed.create(suite.maps, obj)
        suite.typed.delete(path)
        suite.typed.delete(registration)


# Mutating ---------------------------------------------------------------------------------------------------------


@pytest.mark.conformance("Admission webhook, ordered mutation")
def test_a_config_map_goes_through_both_stages(suite):
    suite.register(MUTATING, suite.mutate_config_maps(1), suite.mutate_config_maps(2))
    made = suite.typed.create(suite.maps, suite.config_map("to-be-mutated", START))
    assert made["data"] == STAGE_2


@pytest.mark.conformance("Admission webhook, mutation with defaulting")
def test_an_added_container_is_like_any_other(suite):
    suite.register(MUTATING, suite.hook("adding-init-container", "/mutating-pods", resources=["pods"]))
    made = suite.typed.create(suite.pods, pod("webhook-to-be-mutated", "example"))
    (container,) = made["spec"]["initContainers"]
    assert container["name"] == "webhook-added-init-container"
    assert container["terminationMessagePolicy"] == "File"


@pytest.mark.conformance("Mutating Admission webhook, mutating webhook excluding object with specific name")
def test_one_name_is_left_alone(suite):
    condition = [{"name": "skip-me", "expression": "object.metadata.name != 'skip-me'"}]
    suite.register(MUTATING, suite.mutate_config_maps(matchConditions=condition))
    assert suite.typed.create(suite.maps, suite.fresh_map(START))["data"] == STAGE_1
    assert suite.typed.create(suite.maps, suite.config_map("skip-me", START))["data"] == START


# Registrations ----------------------------------------------------------------------------------------------------


@pytest.mark.conformance("Admission webhook, admission control not allowed on webhook configuration objects")
def test_registrations_are_neither_changed_nor_kept_by_webhooks(suite):
    resources = ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"]
    everywhere = {"group": GROUP, "versions": ["*"], "resources": resources, "failurePolicy": "Fail"}
    suite.register(
        VALIDATING,
        suite.hook("deny-webhook-configuration-deletions", "/always-deny", "DELETE", **everywhere),
        suffix="blocking",
    )
    suite.register(
        MUTATING,
        suite.hook("add-label-to-webhook-configurations", "/add-label", **everywhere),
        suffix="blocking",
    )
    for kind in KINDS:
        dummy = suite.hook("dummy-webhook", "", resources=["invalid"], failurePolicy="Ignore")
        made = suite.create(kind, suite.unreachable(dummy))
        assert "labels" not in made["metadata"]
        suite.wait_ready()
        suite.typed.delete(f"{kind}/{suite.name}")


def denied(suite):
    answer = suite.api.send("POST", suite.maps, suite.fresh_map(UNWANTED))
    assert answer.code < 300 or "denied" in answer.object["message"], answer.body
    return answer.code >= 400


def staged_once(suite):
    made = suite.typed.create(suite.maps, suite.fresh_map(START))
    suite.typed.delete(f"{suite.maps}/{made['metadata']['name']}")
    return "mutation-stage-1" in made["data"]


ACTING = [
    pytest.param(
        VALIDATING,
        Suite.deny_config_maps,
        denied,
        id="validating",
        marks=pytest.mark.conformance("Admission webhook, update validating webhook"),
    ),
    pytest.param(
        MUTATING,
        Suite.mutate_config_maps,
        staged_once,
        id="mutating",
        marks=pytest.mark.conformance("Admission webhook, update mutating webhook"),
    ),
]


@pytest.mark.parametrize(("kind", "hook", "acts"), ACTING)
def test_rules_are_updated_and_patched(api, suite, kind, hook, acts):
    path = suite.register(kind, hook(suite))
    eventually(lambda: acts(suite), "the webhook to act")
    obj = api.get(path)
    obj["webhooks"][0]["rules"][0]["operations"] = ["UPDATE"]
    suite.typed.update(path, obj)
    eventually(lambda: not acts(suite), "the webhook to stop")
    replace = [{"op": "replace", "path": "/webhooks/0/rules/0/operations", "value": ["CREATE"]}]
    api.patch(path, replace, content_type=JSON_PATCH)
    eventually(lambda: acts(suite), "the webhook to act again")


LISTED = [
    pytest.param(
        VALIDATING,
        Suite.deny_config_maps,
        denied,
        id="validating",
        marks=pytest.mark.conformance("Admission webhook, list validating webhooks"),
    ),
    pytest.param(
        MUTATING,
        Suite.mutate_config_maps,
        staged_once,
        id="mutating",
        marks=pytest.mark.conformance("Admission webhook, list mutating webhooks"),
    ),
]


@pytest.mark.parametrize(("kind", "hook", "acts"), LISTED)
def test_ten_registrations_are_deleted_at_once(api, suite, kind, hook, acts):
    for number in range(10):
        suite.create(kind, hook(suite), suffix=f"-{number}", labels={"e2e-list-test-uuid": suite.name})
    selector = f"e2e-list-test-uuid={suite.name}"
    assert len(api.items(kind, labelSelector=selector)) == 10
    suite.wait_ready()
    eventually(lambda: acts(suite), "the webhooks to act")
    suite.typed.delete(kind, labelSelector=selector)
    eventually(lambda: not acts(suite), "the webhooks to be gone")


CONDITIONS = [
    {"name": "expression-1", "expression": "object.metadata.namespace == 'production'"},
    {"name": "expression-2", "expression": "object.metadata.namespace == 'staging'"},
]
KEPT = [
    pytest.param(
        VALIDATING,
        id="validating",
        marks=pytest.mark.conformance(
            "Validating Admission webhook, create and update validating webhook configuration with matchConditions"
        ),
    ),
    pytest.param(
        MUTATING,
        id="mutating",
        marks=pytest.mark.conformance(
            "Mutating Admission webhook, create and update mutating webhook configuration with matchConditions"
        ),
    ),
]


@pytest.mark.parametrize("kind", KEPT)
def test_match_conditions_are_created_and_updated(api, suite, kind):
    suite.create(kind, suite.hook("conditional", "/always-deny", matchConditions=CONDITIONS[:1]))
    obj = api.get(f"{kind}/{suite.name}")
    assert obj["webhooks"][0]["matchConditions"] == CONDITIONS[:1]
    obj["webhooks"][0]["matchConditions"] = CONDITIONS
    suite.typed.update(f"{kind}/{suite.name}", obj)
    assert api.get(f"{kind}/{suite.name}")["webhooks"][0]["matchConditions"] == CONDITIONS


# Custom resources -------------------------------------------------------------------------------------------------


def multi_version(suite, *names, schema=OPEN):
    name = f"e2e-test-{suite.name}-{random.randrange(10_000)}-crd"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{name}s.webhook.example.com"},
        "spec": {
            "group": "webhook.example.com",
            "names": {"plural": f"{name}s", "singular": name, "kind": name, "listKind": f"{name}List"},
            "scope": "Namespaced",
            "versions": [
                {"name": one, "served": True, "storage": one == "v1", "schema": {"openAPIV3Schema": schema}}
                for one in names
            ],
        },
    }


def custom(suite, crd, name, data):
    return {
        "kind": crd["spec"]["names"]["kind"],
        "apiVersion": "webhook.example.com/v1",
        "metadata": {"name": name, "namespace": suite.name},
        "data": data,
    }


def of_definition(suite, crd, name, path, *operations):
    spec = crd["spec"]
    versions = [one["name"] for one in spec["versions"]]
    resources = [spec["names"]["plural"]]
    return suite.hook(name, path, *operations, group=spec["group"], versions=versions, resources=resources)


@pytest.mark.conformance("Admission webhook, deny custom resource create and delete")
def test_custom_resources_are_kept_as_they_are(api, suite):
    crd = multi_version(suite, "v1")
    create_definition(api, suite.typed, crd)
    name = "deny-unwanted-custom-resource-data"
    operations = ("CREATE", "UPDATE", "DELETE")
    suite.register(VALIDATING, of_definition(suite, crd, name, "/custom-resource", *operations))
    objects = collection(crd, "v1", suite.name)
    refused = api.refusal("POST", objects, custom(suite, crd, "cr-instance-1", UNWANTED))
    assert "the custom resource contains unwanted data" in refused.message
    path = f"{objects}/cr-instance-2"
    api.create(objects, custom(suite, crd, "cr-instance-2", {"webhook-e2e-test": "webhook-nondeletable"}))
    refused = api.refusal("PUT", path, {**api.get(path), "data": UNWANTED})
    assert "the custom resource contains unwanted data" in refused.message
    options = {"kind": "DeleteOptions", "apiVersion": "v1"}
    refused = api.refusal("DELETE", path, options)
    expected = "the custom resource cannot be deleted because it contains unwanted key and value"
    assert expected in refused.message
    api.update(path, {**api.get(path), "data": {"webhook-e2e-test": "webhook-allow"}})
    api.delete(path, options)
    remove_definition(api, suite.typed, crd)


def stages(suite, crd):
    return [
        of_definition(
            suite,
            crd,
            f"mutate-custom-resource-data-stage-{number}",
            "/mutating-custom-resource",
            *operations,
        )
        for number, operations in ((1, ("CREATE", "UPDATE")), (2, ("CREATE",)))
    ]


KNOWN = {name: {"type": "string"} for name in STAGE_1}
PRUNING = {"type": "object", "properties": {"data": {"type": "object", "properties": KNOWN}}}


@pytest.mark.parametrize(
    ("versions", "schema", "expected"),
    [
        pytest.param(
            ("v1",),
            OPEN,
            STAGE_2,
            id="open",
            marks=pytest.mark.conformance("Admission webhook, mutate custom resource"),
        ),
        pytest.param(
            ("v1", "v2"),
            PRUNING,
            STAGE_1,
            id="pruning",
            marks=pytest.mark.conformance("Admission webhook, mutate custom resource with pruning"),
        ),
    ],
)
def test_custom_resources_go_through_both_stages(api, suite, versions, schema, expected):
    crd = multi_version(suite, *versions, schema=schema)
    create_definition(api, suite.typed, crd)
    suite.register(MUTATING, *stages(suite, crd))
    made = api.create(collection(crd, "v1", suite.name), custom(suite, crd, "cr-instance-1", START))
    assert made["data"] == expected
    remove_definition(api, suite.typed, crd)


@pytest.mark.conformance("Admission webhook, mutate custom resource with different stored version")
def test_a_custom_resource_is_patched_right_after_its_storage_moved(api, suite):
    crd = multi_version(suite, "v1", "v2")
    create_definition(api, suite.typed, crd)
    suite.register(MUTATING, *stages(suite, crd))
    api.create(collection(crd, "v1", suite.name), custom(suite, crd, "cr-instance-1", START))
    versions = [
        {"name": name, "storage": name == "v2", "served": True, "schema": {"openAPIV3Schema": OPEN}}
        for name in ("v1", "v2")
    ]
    patch = {"spec": {"versions": versions}}
    api.patch(f"{DEFINITIONS}/{crd['metadata']['name']}", patch, content_type=STRATEGIC)
    dummy = [{"op": "add", "path": "/dummy", "value": "test"}]
    path = f"{collection(crd, 'v2', suite.name)}/cr-instance-1"
    patched = api.patch(path, dummy, content_type=JSON_PATCH)
    assert (patched["data"], patched["dummy"]) == (STAGE_2, "test")
    remove_definition(api, suite.typed, crd)


@pytest.mark.conformance("Admission webhook, deny custom resource definition")
def test_a_labelled_definition_is_denied(suite):
    fields = {"group": "apiextensions.k8s.io", "versions": ["*"], "resources": ["customresourcedefinitions"]}
    hook = suite.hook("deny-crd-with-unwanted-label", "/crd", **fields)
    hook["objectSelector"] = hook.pop("namespaceSelector")
    suite.register(VALIDATING, hook)
    name, kind = "e2e-test-webhook-deny-crd", "E2e-test-webhook-deny-crd"
    crd = multi_version(suite, "v1")
    crd["metadata"] = {
        "name": f"{name}s.webhook.example.com",
        "labels": {suite.name: "true", **UNWANTED},
    }
    crd["spec"]["names"] = {"plural": f"{name}s", "singular": name, "kind": kind, "listKind": f"{kind}List"}
    assert "the crd contains unwanted label" in suite.typed.refusal(DEFINITIONS, crd).message
