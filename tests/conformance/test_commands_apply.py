"""The real kubectl that applies, prunes, compares and waits, in the steps of upstream's own tests of its commands."""

import json
import re
import subprocess

import pytest
from tests.conformance import samples

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def text(*objects):
    """One after the other, as kubectl reads them."""
    return "\n".join(json.dumps(obj) for obj in objects)


def config_map(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def labelled(obj, **labels):
    return {**obj, "metadata": {**obj["metadata"], "labels": labels}}


@pytest.fixture
def apply(kubectl):
    """Apply objects; answers what kubectl printed."""

    def run(*objects, words=()):
        return kubectl("apply", *words, "-f", "-", text=text(*objects))

    return run


def owners(obj):
    """Who owns what part of the data of a ConfigMap, and its note of what was applied."""
    found = {}
    for entry in obj["metadata"]["managedFields"]:
        fields = entry["fieldsV1"]
        keys = [key[2:] for key in fields.get("f:data", {}) if key.startswith("f:")]
        keys += [key[2:] for key in fields.get("f:metadata", {}).get("f:annotations", {}) if key[0] == "f"]
        found[entry["manager"], entry["operation"]] = sorted(keys)
    return found


def test_apply_takes_back_what_was_filled_in_for_it(api, apps, apply):
    """The strategy's and the volume's defaults go with the kind of strategy and volume that they belong to."""
    web = samples.deployment("web", 0)
    web["spec"]["template"]["spec"]["volumes"] = [{"name": "v"}]
    assert apply(web) == "deployment.apps/web created\n"
    before = api.get(f"{apps}/deployments/web")["spec"]
    assert before["strategy"]["rollingUpdate"] == {"maxSurge": "25%", "maxUnavailable": "25%"}
    assert before["template"]["spec"]["volumes"] == [{"name": "v", "emptyDir": {}}]
    web["spec"]["strategy"] = {"type": "Recreate"}
    web["spec"]["template"]["spec"]["volumes"] = [{"name": "v", "hostPath": {"path": "/data"}}]
    assert apply(web) == "deployment.apps/web configured\n"
    after = api.get(f"{apps}/deployments/web")["spec"]
    assert after["strategy"] == {"type": "Recreate"}
    assert after["template"]["spec"]["volumes"] == [{"name": "v", "hostPath": {"path": "/data", "type": ""}}]


def test_nulls_that_are_applied_are_nothing_and_those_created_are_zero(api, core, apps, apply):
    web = samples.deployment("web", 0)
    container = web["spec"]["template"]["spec"]["containers"][0]
    container |= {
        "resources": {"requests": {"memory": "64Mi", "cpu": None}},
        "terminationMessagePolicy": None,
    }
    for _ in range(2):
        apply(web)
        stored = api.get(f"{apps}/deployments/web")["spec"]["template"]["spec"]["containers"][0]
        assert stored["resources"] == {"requests": {"memory": "64Mi"}}
        assert stored["terminationMessagePolicy"] == "File"
    # kubectl leaves them out of what it sends; to the server, a null quantity is a quantity of its own.
    quota = api.create(
        f"{core}/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"pods": None}}}
    )
    assert quota["spec"]["hard"] == {"pods": "0"}


def test_what_is_no_longer_applied_is_pruned(api, core, apply, kubectl):
    """Among what has the label, in every namespace that was named or, with an allowlist, of the kinds in it."""
    words = ("--prune", "-l", "prune-group=true")
    a = labelled(config_map("a"), **{"prune-group": "true"})
    service = labelled(
        {"apiVersion": "v1", "kind": "Service", **samples.service("s")}, **{"prune-group": "true"}
    )
    api.create(f"{core}/configmaps", config_map("other"))
    only = ("--prune-allowlist=core/v1/Service",)
    assert apply(a, words=words) == "configmap/a created\n"
    assert apply(service, words=(*words, *only)) == "service/s created\n"
    shown = kubectl(
        "diff", *words, "--prune-allowlist=core/v1/ConfigMap", "-f", "-", text=text(service), check=False
    )
    assert shown.returncode == 1 and re.search(r"^-  name: a$", shown.stdout, re.MULTILINE)
    assert apply(service, words=(*words, "--prune-allowlist=core/v1/ConfigMap")) == (
        "service/s unchanged\nconfigmap/a pruned\n"
    )
    assert {obj["metadata"]["name"] for obj in api.items(f"{core}/configmaps")} == {
        "kube-root-ca.crt",
        "other",
    }


def test_a_field_that_may_not_change_is_changed_by_force(api, core, apply, kubectl):
    service = {"apiVersion": "v1", "kind": "Service", **samples.service("s", clusterIP="None")}
    apply(service)
    service["spec"]["clusterIP"] = "10.96.211.12"
    done = kubectl("apply", "-f", "-", text=text(service), check=False)
    assert (done.returncode, done.stderr) == (
        1,
        'The Service "s" is invalid: spec.clusterIPs[0]: Invalid value: ["10.96.211.12"]: may not change once set\n',
    )
    assert apply(service, words=("--force",)) == "service/s configured\n"
    assert api.get(f"{core}/services/s")["spec"]["clusterIP"] == "10.96.211.12"


def test_one_bad_object_does_not_keep_the_others_from_being_applied(api, core, namespace, unique, kubectl):
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{unique}.example.com"},
        "spec": {
            "group": f"{unique}.example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object"}},
                }
            ],
        },
    }
    widget = {"apiVersion": f"{unique}.example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}
    objects = text(definition, widget, config_map("a"), config_map("B"))
    done = kubectl("apply", "-f", "-", text=objects, check=False)
    assert done.stdout == (
        f"customresourcedefinition.apiextensions.k8s.io/widgets.{unique}.example.com created\n"
        "configmap/a created\n"
    )
    assert 'ConfigMap "B" is invalid: metadata.name: Invalid value: "B": a lowercase RFC 1123' in done.stderr
    assert f'no matches for kind "Widget" in version "{unique}.example.com/v1"' in done.stderr
    kubectl("wait", "--for=condition=Established", f"crd/widgets.{unique}.example.com")
    path = f"/apis/{unique}.example.com/v1/namespaces/{namespace}/widgets"
    for words, verb in (((), "created"), (("--server-side",), "serverside-applied")):
        assert kubectl("apply", *words, "--dry-run=server", "-f", "-", text=text(widget)) == (
            f"widget.{unique}.example.com/w {verb} (server dry run)\n"
        )
    assert api.items(path) == []
    kubectl("delete", "crd", f"widgets.{unique}.example.com")


def test_an_object_moves_between_both_kinds_of_apply(api, core, apply, kubectl):
    """What the one kind of apply owned, the other takes over, and removes what it no longer names."""
    first, second = config_map("c", key="1", legacy="1"), config_map("c", key="1", new="1")
    third = config_map("c", key="1", newer="1")
    apply(first)
    alien = kubectl(
        "apply",
        "--server-side",
        "--field-manager=other",
        "-f",
        "-",
        text=text(config_map("c", key="2")),
        check=False,
    )
    assert alien.returncode == 1
    assert (
        'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using v1: .data.key'
        in alien.stderr
    )
    assert apply(second, words=("--server-side",)) == "configmap/c serverside-applied\n"
    stored = api.get(f"{core}/configmaps/c")
    assert stored["data"] == {"key": "1", "new": "1"}
    assert owners(stored) == {
        ("kubectl", "Apply"): ["key", "new"],
        ("kubectl-last-applied", "Apply"): [LAST_APPLIED],
    }
    # kubectl keeps the note of what was applied up to date, so there is a way back.
    assert apply(third) == "configmap/c configured\n"
    assert api.get(f"{core}/configmaps/c")["data"] == {"key": "1", "newer": "1"}
    apply(second, words=("--server-side",))
    assert api.get(f"{core}/configmaps/c")["data"] == {"key": "1", "new": "1"}
    shown = kubectl("diff", "--server-side", "-f", "-", text=text(third), check=False)
    assert shown.returncode == 1
    assert re.search(r'^-  new: "1"\n\+  newer: "1"$', shown.stdout, re.MULTILINE)
    assert api.get(f"{core}/configmaps/c")["data"] == {"key": "1", "new": "1"}


def test_a_manager_with_a_name_of_its_own_moves_to_server_side_apply(api, core, apply):
    """And leaves no note of what was applied behind."""
    first = config_map("c", key="1", legacy="1")
    apply(first, words=("--field-manager=mine",))
    assert LAST_APPLIED in api.get(f"{core}/configmaps/c")["metadata"]["annotations"]
    apply(first, words=("--server-side", "--field-manager=mine"))
    stored = api.get(f"{core}/configmaps/c")
    assert "annotations" not in stored["metadata"]
    assert owners(stored) == {("mine", "Apply"): ["key", "legacy"]}
    apply(config_map("c", key="2"), words=("--server-side", "--field-manager=mine"))
    assert api.get(f"{core}/configmaps/c")["data"] == {"key": "2"}


def test_status_is_applied_on_its_own(api, core, apply):
    api.create(f"{core}/pods", samples.pod("p", schedulingGates=[{"name": "example.com/wait"}]))
    condition = {"type": "example.io/Foo", "status": "True", "lastTransitionTime": "2024-01-01T00:00:00Z"}
    status = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "status": {"conditions": [condition]},
    }
    apply(status, words=("--server-side", "--subresource=status", "--field-manager=mine"))
    pod = api.get(f"{core}/pods/p")
    assert condition in pod["status"]["conditions"]
    (entry,) = [entry for entry in pod["metadata"]["managedFields"] if entry["manager"] == "mine"]
    assert entry["subresource"] == "status"
    assert entry["fieldsV1"]["f:status"] == {
        "f:conditions": {
            'k:{"type":"example.io/Foo"}': {".": {}, "f:lastTransitionTime": {}, "f:status": {}, "f:type": {}}
        }
    }


def test_the_note_of_what_was_applied_is_set_by_itself(api, core, kubectl):
    obj = config_map("c", key="1")
    api.create(f"{core}/configmaps", obj)
    words = ("apply", "set-last-applied", "--create-annotation", "-f", "-")
    assert kubectl(*words, "--dry-run=server", text=text(obj)) == "configmap/c configured (server dry run)\n"
    assert "annotations" not in api.get(f"{core}/configmaps/c")["metadata"]
    assert kubectl(*words, text=text(obj)) == "configmap/c configured\n"
    assert json.loads(kubectl("apply", "view-last-applied", "configmap/c", "-o", "json"))["data"] == {
        "key": "1"
    }


def test_diff_says_by_its_code_what_it_found_and_stores_nothing(api, core, kubectl):
    obj = {"apiVersion": "v1", "kind": "Pod", **samples.pod("p")}
    for words in ((), ("--server-side",)):
        assert kubectl("diff", *words, "-f", "-", text=text(obj), check=False).returncode == 1
    assert api.items(f"{core}/pods") == []
    bad = {**obj, "spec": {"containers": [{"image": "nginx"}]}}
    done = kubectl("diff", "-f", "-", text=text(bad), check=False)
    assert done.returncode > 1
    assert done.stderr == 'The Pod "p" is invalid: spec.containers[0].name: Required value\n'


def test_fields_that_are_not_known_are_warned_of_where_that_is_asked_for(kubectl):
    web = samples.deployment("web", 0)
    web["spec"] |= {"foo": "bar", "baz": "baq"}
    for words, warnings in (
        (
            ("create", "--validate=warn"),
            'Warning: unknown field "spec.baz"\nWarning: unknown field "spec.foo"\n',
        ),
        (("replace", "--validate=ignore"), ""),
    ):
        done = kubectl(*words, "-f", "-", text=text(web), check=False)
        assert (done.stdout, done.stderr) == (f"deployment.apps/web {words[0]}d\n", warnings)
    # Server-side apply has no place for what is not in the schema, whatever is asked for.
    done = kubectl("apply", "--server-side", "--validate=ignore", "-f", "-", text=text(web), check=False)
    assert done.stderr.endswith(
        "/web; apps/v1, Kind=Deployment): errors:\n"
        "  .spec.baz: field not declared in schema\n"
        "  .spec.foo: field not declared in schema\n"
    )


def test_objects_are_deleted_by_label_in_all_namespaces(api, core, kubectl_command, unique):
    for name in ("one", "two"):
        api.create(f"{core}/configmaps", labelled(config_map(name), **{unique: "true"}))

    def delete(*words):
        words = ("delete", "configmap", "-l", f"{unique}=true", "--all-namespaces", *words)
        done = subprocess.run(
            [*kubectl_command, *words], capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout

    assert [line.partition(" ")[2] for line in delete("--dry-run=server").splitlines()] == [
        '"one" deleted (server dry run)',
        '"two" deleted (server dry run)',
    ]
    assert len(api.items(f"{core}/configmaps", labelSelector=unique)) == 2
    delete()
    assert api.items(f"{core}/configmaps", labelSelector=unique) == []


def test_a_list_is_got_in_pages_and_watched_from_its_end(api, core, kubectl):
    for name in ("one", "two", "three"):
        api.create(f"{core}/configmaps", config_map(name))
    words = ("get", "configmaps", "--chunk-size=1", "--watch", "--request-timeout=1s", "-o", "name")
    done = kubectl(*words, check=False)
    assert done.stdout.split() == [
        f"configmap/{name}" for name in ("kube-root-ca.crt", "one", "three", "two")
    ]
    assert "watch is only supported" not in done.stderr


def test_what_a_subresource_shows_is_got(api, core, kubectl):
    api.create(f"{core}/pods", samples.pod("p", schedulingGates=[{"name": "example.com/wait"}]))
    assert kubectl("get", "pod", "p", "--subresource=status", "--no-headers").split()[:3] == [
        "p",
        "0/1",
        "SchedulingGated",
    ]
    assert kubectl("get", "pod", "p", "--subresource=scale", check=False).stderr == (
        "Error from server (NotFound): the server could not find the requested resource\n"
    )


def test_conditions_are_waited_for_by_path(apply, kubectl):
    apply(samples.deployment("web", 1))
    for path in (
        "{.status.replicas}",
        'spec.template.spec.containers[?(@.name=="main")].image=' + samples.IMAGE,
    ):
        assert (
            kubectl("wait", f"--for=jsonpath={path}", "deployment/web")
            == "deployment.apps/web condition met\n"
        )
    done = kubectl("wait", "--for=condition=Invalid", "deployment/web", "--timeout=10ms", check=False)
    assert (done.returncode, done.stderr) == (
        1,
        "error: timed out waiting for the condition on deployments/web\n",
    )
