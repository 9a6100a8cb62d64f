"""Custom resources by the stories of upstream's integration tests: tables, selectors, versions, lists, ends, limits."""

import json
import threading

import pytest
import yaml
from tests.conformance.api import APPLY, JSON, MERGE, STRATEGIC, Refused, eventually
from tests.conformance.definitions import (
    DEFINITIONS,
    OPEN,
    collection,
    custom,
    definition,
    established,
    noxu,
    version,
)

TABLE = "application/json;as=Table;v={};g=meta.k8s.io, application/json"
YAML = "application/yaml"
CREATED = ".metadata.creationTimestamp"


# Tables -----------------------------------------------------------------------------------------------------------

COLUMNS = [
    {"name": "Age", "type": "date", "jsonPath": CREATED},
    {"name": "Alpha", "type": "string", "jsonPath": ".spec.alpha"},
    {"name": "Beta", "type": "integer", "description": "the beta field", "format": "int64", "priority": 42,
     "jsonPath": ".spec.beta"},
    {"name": "Gamma", "type": "integer", "description": "a column with wrongly typed values",
     "jsonPath": ".spec.gamma"},
    {"name": "Epsilon", "type": "string", "description": "an array of integers as string",
     "jsonPath": ".spec.epsilon"},
]  # fmt: skip
ZETA = {"name": "Zeta", "type": "integer", "description": "the zeta field", "format": "int64", "priority": 42,
        "jsonPath": ".spec.zeta"}  # fmt: skip


def shown(column):
    default = f"Custom resource definition column (in JSONPath format): {column['jsonPath']}"
    return {
        "name": column["name"],
        "type": column["type"],
        "format": column.get("format", ""),
        "description": column.get("description", default),
        "priority": column.get("priority", 0),
    }


def test_a_table_has_the_columns_of_its_version(api, group, made):
    crd = definition(
        group,
        version("v1beta1", storage=False, additionalPrinterColumns=COLUMNS),
        version("v1", additionalPrinterColumns=[*COLUMNS, ZETA]),
        kind="Table",
        scope="Cluster",
    )
    made(crd)
    spec = {"alpha": "foo_123", "beta": 10, "gamma": "bar", "delta": "hello", "epsilon": [1, 2, 3], "zeta": 5}
    api.create(collection(crd, "v1"), custom(crd, "v1", "foo", spec=spec))
    for name, more in (("v1beta1", []), ("v1", [5])):
        for form in ("v1", "v1beta1"):
            headers = {"Accept": TABLE.format(form)}
            table = api.call("GET", collection(crd, name), headers=headers)
            assert (table["kind"], table["apiVersion"]) == ("Table", f"meta.k8s.io/{form}")
            columns = [*COLUMNS, ZETA] if more else COLUMNS
            assert table["columnDefinitions"][1:] == [shown(column) for column in columns]
            ((first, age, *cells),) = [row["cells"] for row in table["rows"]]
            assert (first, cells) == ("foo", ["foo_123", 10, None, "[1,2,3]", *more])
            assert age.endswith("s")


def test_columns_of_versions_are_patched_in(api, group, made):
    crd = noxu(group, version("v1beta1"), version("v1", storage=False))
    path = made(crd)
    versions = [
        version("v1beta1", additionalPrinterColumns=[{"name": "Age", "type": "date", "jsonPath": CREATED}]),
        version(
            "v1",
            storage=False,
            additionalPrinterColumns=[{"name": "Age2", "type": "date", "jsonPath": CREATED}],
        ),
    ]
    patched = api.patch(path, {"spec": {"versions": versions}})["spec"]["versions"]
    assert [one["additionalPrinterColumns"][0]["name"] for one in patched] == ["Age", "Age2"]

    def header(name):
        table = api.call("GET", collection(crd, name), headers={"Accept": TABLE.format("v1")})
        return [one["name"] for one in table["columnDefinitions"]]

    eventually(lambda: header("v1") == ["Name", "Age2"], "the new columns")
    assert header("v1beta1") == ["Name", "Age"]


# Fields to select by ----------------------------------------------------------------------------------------------

SHIRTS = {
    "shirt1": {"color": "blue", "quantity": 2, "size": "S", "branded": True},
    "shirt2": {"color": "blue", "quantity": 3, "size": "M", "branded": False},
    "shirt3": {"color": "green", "quantity": 2, "branded": False},
}
SELECTED = {
    "spec.color=blue": ({"shirt1", "shirt2"}, {"shirt1", "shirt2"}),
    "spec.quantity=2": ({"shirt1", "shirt3"}, {"shirt1"}),
    "spec.size=M": ({"shirt2"}, set()),
    "spec.branded=false": ({"shirt2", "shirt3"}, set()),
    "spec.color=blue,spec.quantity=2": ({"shirt1"}, {"shirt1"}),
    "spec.color=blue,spec.branded=false": ({"shirt2"}, {"shirt2"}),
}
"""By selector: who is there at first, and who is not any more once shirt1 is gone and shirt2 is green."""


def shirts(group):
    size = {"type": "string", "enum": ["S", "M", "L", "XL"]}
    fields = {"color": {"type": "string"}, "quantity": {"type": "integer"}, "size": size}
    fields["branded"] = {"type": "boolean"}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": fields}}}
    selectable = [{"jsonPath": f".spec.{name}"} for name in fields]
    return definition(
        group, version("v1", schema, selectableFields=selectable), kind="Shirt", scope="Cluster"
    )


def test_fields_select_what_is_listed_watched_and_deleted(api, group, made):
    crd = shirts(group)
    made(crd)
    path = collection(crd, "v1")

    def dress():
        api.delete(path, {"gracePeriodSeconds": 0})
        for name, spec in SHIRTS.items():
            api.create(path, custom(crd, "v1", name, spec=spec))

    for selector, (present, _) in SELECTED.items():
        dress()
        assert {one["metadata"]["name"] for one in api.items(path, fieldSelector=selector)} == present
        api.delete(path, {"gracePeriodSeconds": 0}, fieldSelector=selector)
        left = {one["metadata"]["name"] for one in api.items(path)}
        assert left == SHIRTS.keys() - present
    for method in ("GET", "DELETE"):
        refused = api.refusal(method, path, query={"fieldSelector": "spec.nosuchfield=xyz"})
        assert (refused.code, refused.message) == (400, "field label not supported: spec.nosuchfield")
    with pytest.raises(Refused) as error:
        api.watch(path, fieldSelector="spec.nosuchfield=xyz")
    assert (error.value.code, error.value.reason) == (400, "BadRequest")


def test_a_watch_sees_what_begins_and_ends_to_be_selected(api, group, made):
    crd = shirts(group)
    made(crd)
    path = collection(crd, "v1")
    for selector, (added, deleted) in SELECTED.items():
        with api.watch(path, fieldSelector=selector) as watch:
            for name, spec in SHIRTS.items():
                api.create(path, custom(crd, "v1", name, spec=spec))
            api.delete(f"{path}/shirt1", {"gracePeriodSeconds": 0})
            api.patch(f"{path}/shirt2", {"spec": {"color": "green"}})
            seen = {"ADDED": set(), "DELETED": set()}
            while seen != {"ADDED": added, "DELETED": deleted}:
                kind, obj = watch.next()
                seen.setdefault(kind, set()).add(obj["metadata"]["name"])
        api.delete(path)


def test_selectable_fields_are_published(api, group, made):
    crd = shirts(group)
    made(crd)
    name = f"{'.'.join(reversed(group.split('.')))}.v1.Shirt"
    fields = [{"fieldPath": f"spec.{one}"} for one in ("color", "quantity", "size", "branded")]
    for path, below in (
        (f"/openapi/v3/apis/{group}/v1", ("components", "schemas")),
        ("/openapi/v2", ("definitions",)),
    ):

        def published(path=path, below=below):
            document = api.get(path)
            for key in below:
                document = document.get(key, {})
            return document.get(name)

        schema = eventually(published, f"{name} in {path}")
        assert schema["x-kubernetes-selectable-fields"] == fields


# Versions ---------------------------------------------------------------------------------------------------------


def test_the_version_of_a_request_is_what_is_judged(api, group, namespace, made):
    crd = noxu(group, version("v1beta1", storage=False), version("v1beta2"))
    path = made(crd)
    api.create(collection(crd, "v1beta1", namespace), custom(crd, "v1beta1", "foo"))
    kind = {"type": "string", "pattern": f"^{group}/v1beta1$"}
    schema = {"type": "object", "properties": {"apiVersion": kind}, "required": ["apiVersion"]}
    versions = [version("v1beta1", schema, storage=False), version("v1beta2", schema)]
    api.patch(path, {"spec": {"versions": versions}})
    patch = {"metadata": {"labels": {"i": "0"}}}

    def refused():
        answer = api.send("PATCH", f"{collection(crd, 'v1beta2', namespace)}/foo", patch, content_type=MERGE)
        return answer.code == 422 and "apiVersion" in answer.object["message"]

    eventually(refused, "the schema")
    api.patch(f"{collection(crd, 'v1beta1', namespace)}/foo", patch)


@pytest.mark.parametrize("scope", ["Namespaced", "Cluster"])
def test_a_new_stored_version_is_noted_at_once(api, group, made, scope):
    crd = noxu(group, version("v1beta1"), version("v1beta2", storage=False), scope=scope)
    path = made(crd)
    crd = api.get(path)
    assert crd["status"]["storedVersions"] == ["v1beta1"]
    for one in crd["spec"]["versions"]:
        one["storage"] = one["name"] == "v1beta2"
    api.update(path, crd)
    assert api.get(path)["status"]["storedVersions"] == ["v1beta1", "v1beta2"]


@pytest.mark.parametrize("scope", ["Namespaced", "Cluster"])
def test_watches_of_every_version_see_an_object_of_each(api, group, namespace, made, scope):
    crd = noxu(group, version("v1beta1", storage=False), version("v1beta2"), scope=scope)
    made(crd)
    within = namespace if scope == "Namespaced" else ""
    paths = {name: collection(crd, name, within) for name in ("v1beta1", "v1beta2")}
    with api.watch(paths["v1beta1"]) as first, api.watch(paths["v1beta2"]) as second:
        watches = {"v1beta1": first, "v1beta2": second}
        for name, path in paths.items():
            created = api.create(path, custom(crd, name, "foo"))
            assert (created["apiVersion"], created["kind"]) == (f"{group}/{name}", "WishIHadChosenNoxu")
            for seen, watch in watches.items():
                kind, obj = watch.next()
                assert (kind, obj["apiVersion"]) == ("ADDED", f"{group}/{seen}")
                assert obj["metadata"].get("namespace", "") == within
            assert api.get(f"{path}/foo") == created
            assert api.items(path) == [created]
            listing = api.get(path)
            assert (listing["kind"], listing["apiVersion"]) == ("NoxuItemList", f"{group}/{name}")
            api.delete(f"{path}/foo", {"gracePeriodSeconds": 0})
            assert api.items(path) == []
            for watch in watches.values():
                kind, obj = watch.next()
                assert (kind, obj["metadata"]["uid"]) == ("DELETED", created["metadata"]["uid"])
            api.delete(path)


def test_a_definition_that_changes_all_the_time_disturbs_nobody(api, group, namespace, made):
    """Upstream changes it every ten milliseconds for five seconds; here a fixed number of changes is enough."""
    crd = noxu(group)
    path = made(crd)
    foos = collection(crd, "v1beta1", namespace)
    over, wrong = threading.Event(), []

    def told(work):
        def run():
            try:
                work()
            except Exception as error:
                wrong.append(error)
            finally:
                api.close()

        return threading.Thread(target=run)

    def read(number):
        name = f"foo-{number}"
        api.create(foos, custom(crd, "v1beta1", name))
        while not over.is_set():
            api.get(f"{foos}/{name}")

    def watch():
        while not over.is_set():
            with api.watch(foos, timeoutSeconds=1) as events:
                for kind, _ in events:
                    assert kind in ("ADDED", "MODIFIED", "DELETED")

    workers = [told(lambda number=number: read(number)) for number in range(3)] + [
        told(watch) for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    both = [version("v1beta1"), version("v2", storage=False)]
    for number in range(40):
        api.patch(path, {"spec": {"versions": both if number % 2 == 0 else both[:1]}})
    over.set()
    for worker in workers:
        worker.join()
    assert wrong == []


# Lists ------------------------------------------------------------------------------------------------------------


def keyed(*keys):
    fields = {"a": {"type": "integer"}, "b": {"type": "integer", "default": 0}}
    return {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": list(keys),
        "items": {"type": "object", "properties": fields, "required": ["a"]},
    }


UNIQUE = {
    "type": "array",
    "x-kubernetes-list-type": "set",
    "items": {
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "additionalProperties": {"type": "integer"},
    },
}


def lists(*keys):
    fields = {
        "correct-map": keyed(*keys),
        "correct-set": UNIQUE,
        "invalid-map": keyed("a", "b"),
        "invalid-set": UNIQUE,
    }
    return {"type": "object", "properties": fields}


def test_lists_hold_nothing_twice_unless_they_did(api, group, made):
    crd = definition(group, version("v1beta1", lists("a", "b")), scope="Cluster")
    path = made(crd)
    foos = collection(crd, "v1beta1")
    elements = [{"a": 1, "b": 1, "c": "1"}, {"a": 1, "b": 2, "c": "2"}, {"a": 1, "c": "3"}]
    members = [{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 1}, {"a": 1, "b": 4}]
    good = {"correct-map": elements, "correct-set": members}
    bad = {"invalid-map": [*elements, {**elements[0], "c": "4"}], "invalid-set": [*members, members[0]]}
    refused = api.refusal("POST", foos, custom(crd, "v1beta1", "foo", **good, **bad))
    twice = 'Duplicate value: {"a":1,"b":1}'
    assert refused.message == (
        f'Foo.{group} "foo" is invalid: [invalid-map[3]: {twice}, invalid-set[4]: {twice}]'
    )
    foo = api.create(foos, custom(crd, "v1beta1", "foo", **good))
    for name in good:
        foo[name].append(foo[name][0])
    refused = api.refusal("PUT", f"{foos}/foo", foo)
    assert all(f"{name}[" in refused.message for name in good)
    api.patch(path, {"spec": {"versions": [version("v1beta1", lists("a"))]}})
    eventually(lambda: api.send("PUT", f"{foos}/foo", foo).code == 200, "what is wrong already to go on")


# The basics -------------------------------------------------------------------------------------------------------


def test_a_custom_resource_is_discovered(api, group, made):
    made(noxu(group))
    (found,) = api.get(f"/apis/{group}/v1beta1")["resources"]
    assert (found["name"], found["singularName"], found["kind"]) == (
        "noxus",
        "nonenglishnoxu",
        "WishIHadChosenNoxu",
    )
    assert (found["shortNames"], found["categories"]) == (["foo", "bar", "abc", "def"], ["all"])
    verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    assert sorted(found["verbs"]) == verbs


def test_a_namespaced_resource_is_listed_everywhere_and_made_somewhere(api, group, namespace, unique, made):
    crd = noxu(group)
    made(crd)
    everywhere = collection(crd, "v1beta1")
    assert api.items(everywhere) == []
    assert api.refusal("POST", everywhere, custom(crd, "v1beta1", "foo")).code == 404
    other = f"{unique}-other"
    with api.own_namespace(other):
        places = [collection(crd, "v1beta1", one) for one in (namespace, other)]
        revision = api.get(everywhere)["metadata"]["resourceVersion"]
        with api.watch(everywhere, resourceVersion=revision) as watch:
            instances = [
                api.create(place, custom(crd, "v1beta1", name))
                for place, name in zip(places, ("foo1", "foo2"), strict=True)
            ]
            assert sorted(api.items(everywhere), key=lambda one: one["metadata"]["name"]) == instances
            assert watch.take(2) == [("ADDED", one) for one in instances]
        for place, one in zip(places, instances, strict=True):
            with api.watch(place, resourceVersion=revision) as watch:
                assert watch.next() == ("ADDED", one)


def test_large_integers_are_kept(api, group, made):
    crd = noxu(group, scope="Cluster")
    made(crd)
    path = collection(crd, "v1beta1")
    num = {"num1": 9223372036854775807, "num2": 1000000}
    created = api.create(path, custom(crd, "v1beta1", "foo", num=num))
    assert created["num"] == num
    patched = api.patch(f"{path}/foo", {"num": {"num2": 999}})
    assert patched["num"] == {**num, "num2": 999}
    assert api.patch(f"{path}/foo", {"num": {"num2": 999}}) == patched
    assert api.patch(f"{path}/foo", {}) == patched


def test_a_name_conflict_is_over_with_the_other_definition(api, group, made):
    path = made(noxu(group))
    other = noxu(group)
    other["metadata"]["name"] = f"noxus2.{group}"
    other["spec"]["names"] |= {
        "plural": "noxus2",
        "singular": "nonenglishnoxu2",
        "shortNames": ["foo", "bar"],
    }
    api.create(DEFINITIONS, other)
    there = f"{DEFINITIONS}/noxus2.{group}"

    def accepted(status):
        return lambda obj: any(
            one["type"] == "NamesAccepted" and one["status"] == status
            for one in obj.get("status", {}).get("conditions") or []
        )

    api.wait_object(there, accepted("False"))
    api.delete(path)
    api.wait_object(there, accepted("True"))
    api.delete(there)


def test_a_definition_comes_again_without_its_objects(api, group, namespace, made):
    crd = noxu(group)
    path = made(crd)
    foos = collection(crd, "v1beta1", namespace)
    api.create(foos, custom(crd, "v1beta1", "foo"))
    api.delete(path)
    api.wait_gone(path)
    for gone in (path, foos, f"{foos}/foo"):
        assert api.send("GET", gone).code == 404
    made(crd)
    assert api.items(foos) == []
    assert api.refusal("GET", f"{foos}/foo").reason == "NotFound"
    created = api.create(foos, custom(crd, "v1beta1", "foo"))
    assert api.items(foos) == [created]


def test_the_status_of_a_definition_takes_every_patch(api, group, made):
    path = made(noxu(group))
    assert established(api.get(f"{path}/status"))
    api.patch(f"{path}/status", {"labels": {"test-label": "dummy"}}, content_type=STRATEGIC)


# Ends -------------------------------------------------------------------------------------------------------------


def test_an_object_goes_with_its_last_finalizer_and_the_definition_after_it(api, group, made):
    crd = noxu(group, scope="Cluster")
    path = made(crd)
    foo = f"{collection(crd, 'v1beta1')}/foo123"
    obj = custom(crd, "v1beta1", "foo123")
    obj["metadata"]["finalizers"] = ["noxu.example.com/finalizer"]
    uid = api.create(collection(crd, "v1beta1"), obj)["metadata"]["uid"]
    for _ in range(2):
        api.delete(foo, {"preconditions": {"uid": uid}})
        assert api.get(foo)["metadata"]["deletionTimestamp"]
    api.delete(path)
    obj = api.get(foo)
    del obj["metadata"]["finalizers"]
    while api.send("PUT", foo, obj).code == 409:
        obj = api.get(foo)
        del obj["metadata"]["finalizers"]
    assert api.missing(foo)
    api.wait_gone(path)


@pytest.mark.parametrize("scope", ["Cluster", "Namespaced"])
def test_no_object_is_found_in_the_other_scope(api, group, namespace, made, scope):
    below = {
        "status": {},
        "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
    }
    crd = definition(group, version("v1beta1", subresources=below), kind=scope, scope=scope)
    made(crd)
    right, wrong = collection(crd, "v1beta1"), collection(crd, "v1beta1", namespace)
    if scope == "Namespaced":
        right, wrong = wrong, right
    obj, patch = custom(crd, "v1beta1", "bar"), {"metadata": {"annotations": {"test": "1"}}}
    assert api.send("POST", wrong, obj).code == 404
    for below in ("status", "scale"):
        assert api.send("POST", f"{wrong}/bar/{below}", obj).code == 404
    api.create(right, obj)
    for below in ("", "/status", "/scale"):
        path = f"{wrong}/bar{below}"
        assert api.send("GET", path).code == 404
        assert api.send("PUT", path, obj).code == 404
        assert api.send("PATCH", path, patch, content_type=MERGE).code == 404
        assert api.send("DELETE", path, {}).code == 404
    assert api.send("DELETE", wrong, {}).code == 404
    assert api.send("GET", wrong).code == (404 if scope == "Cluster" else 200)
    if scope == "Cluster":
        assert api.send("GET", wrong, query={"watch": "true"}).code == 404
    else:
        with api.watch(wrong) as watch:
            assert watch.next()[0] == "ADDED"


def test_a_body_has_its_limits(api, group, made):
    crd = noxu(group, scope="Cluster")
    made(crd)
    path = collection(crd, "v1beta1")
    api.create(path, custom(crd, "v1beta1", "test"))
    size = 3 * 1024 * 1024
    head = {kind: data[: data.rindex(tail) + 1] for kind, data, tail in (
        (JSON, json.dumps({**custom(crd, "v1beta1", "other"), "values": 0}).encode(), b" "),
        (YAML, yaml.safe_dump({**custom(crd, "v1beta1", "other"), "values": 0}, sort_keys=False).encode(), b" "),
    )}  # fmt: skip

    def code(kind, body):
        return api.send("POST", path, body, content_type=kind, headers={"Accept": kind}).code

    def nested(depth):
        return b"[" * depth + b"]" * depth

    assert code(YAML, head[YAML] + b"[" * size) == 413
    assert code(YAML, head[YAML] + nested(size // 2 - 500)) == 400
    assert code(YAML, head[YAML] + b"[" * (size - 1000)) == 400
    assert code(JSON, head[JSON] + nested(size // 2) + b"}") == 413
    assert code(JSON, head[JSON] + nested(size // 2 - 500) + b"}") == 400
    assert code(JSON, head[JSON] + b"[" * (size - 1000) + b"}") == 400
    deep = nested(size // 2 - 100)
    for kind, body in (
        ("application/json-patch+json", b'[{"op":"add","path":"/foo","value":' + deep + b"}]"),
        (MERGE, b'{"value":' + deep + b"}"),
        (APPLY, b'{"value":' + deep + b"}"),
    ):
        answer = api.send("PATCH", f"{path}/test", body, content_type=kind, query={"fieldManager": "test"})
        assert answer.code == 400 or (kind, answer.code) == ("application/json-patch+json", 413), kind


def test_a_default_lasts_once_it_is_written(api, group, namespace, made):
    fields = {"alpha": {"type": "string"}}

    def schema(**defaults):
        more = {name: {"type": "integer", "default": value} for name, value in defaults.items()}
        open_ = {name: {"x-kubernetes-preserve-unknown-fields": True} for name in ("default", "default2")}
        return {**OPEN, "properties": {**fields, **open_, **more}}

    crd = noxu(group, version("v1beta1", schema(default=42)))
    path = made(crd)
    foos = collection(crd, "v1beta1", namespace)
    foo = f"{foos}/foo"
    assert api.create(foos, custom(crd, "v1beta1", "foo", alpha="foo_123"))["default"] == 42
    assert api.get(foo)["default"] == 42

    def change(**defaults):
        api.patch(path, {"spec": {"versions": [version("v1beta1", schema(**defaults))]}})

    change(default=42, default2=42)
    eventually(lambda: api.get(foo).get("default2") == 42, "a default of what is stored")
    change()
    eventually(lambda: "default2" not in api.get(foo), "the default to go")
    assert api.get(foo)["default"] == 42
    change(default=43, default2=43)
    eventually(lambda: api.get(foo).get("default2") == 43, "the default to come again")
    obj = api.get(foo)
    del obj["default2"]
    obj = api.update(foo, obj)
    assert (obj["default"], obj["default2"]) == (42, 43)
    change(default3=44)
    eventually(lambda: api.get(foo).get("default3") == 44, "the third default")
    obj = api.get(foo)
    assert (obj["default"], obj["default2"]) == (42, 43)


def test_a_status_has_its_defaults_once_there_is_one(api, group, namespace, made):
    status = {"type": "object", "properties": {"num": {"type": "integer", "default": 42}}}
    schema = {"type": "object", "properties": {"status": status}}
    crd = noxu(group, version("v1", schema, subresources={"status": {}}))
    made(crd)
    foos = collection(crd, "v1", namespace)
    foo = api.create(foos, custom(crd, "v1", "foo"))
    assert "status" not in foo
    assert api.update(f"{foos}/foo/status", {**foo, "status": {}})["status"] == {"num": 42}
