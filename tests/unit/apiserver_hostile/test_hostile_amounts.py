"""Long lists that are looked through once for each of their elements: minutes for each of these, hours for 3 MiB."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.objects.one_version import apply_patch, track_update

from mamekube.apiserver.customresources import structural
from mamekube.foundation.limits import JSON_PATCH_OPERATIONS_MAX
from mamekube.kinds.admissionregistration import expressions, validatingadmissionpolicybindings, validation
from mamekube.kinds.apiextensions import definitions, schemas, values
from mamekube.kinds.certificates import certificatesigningrequests
from mamekube.kinds.core import nodes, servicerules
from mamekube.kinds.fields import repeated
from mamekube.kinds.podspec import podannotations
from mamekube.kinds.resource import tolerations
from mamekube.kinds.storage import csinodes, topologies
from mamekube.objects import quota
from mamekube.objects.fielderrors import FieldError
from mamekube.objects.meta import Object
from mamekube.objects.patches import json_patch, strategic
from mamekube.objects.schema import builtin_schema, schema_from_crd
from mamekube.objects.status import StatusError

MANY = 60_000
NAMES = [f"n{number}" for number in range(MANY)]
THEN = "2026-01-01T00:00:00Z"

META = builtin_schema("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
POD_SPEC = builtin_schema("io.k8s.api.core.v1.PodSpec")
KEYED = schema_from_crd(
    {
        "type": "object",
        "properties": {
            "list": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "properties": {"name": {"type": "string"}}},
            },
            "data": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    }
)

CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {
            "resources": st.fixed_dictionaries(
                {"requests": st.dictionaries(st.sampled_from("abc"), st.integers(0, 9).map(str))}
            )
        },
        optional={"restartPolicy": st.just("Always")},
    ),
    max_size=5,
)


# Patches ------------------------------------------------------------------------------------------------


def test_copies_beside_many_others() -> None:
    doc = {"data": dict.fromkeys(NAMES, ""), "list": [{"a": [1]}]}
    copies = [
        {"op": "copy", "from": "/list/0", "path": f"/data/m{number}"}
        for number in range(JSON_PATCH_OPERATIONS_MAX)
    ]
    patched = json_patch.apply(doc, copies)
    assert len(patched["data"]) == MANY + len(copies)
    assert len(doc["data"]) == MANY


def test_a_change_of_a_copy_leaves_the_other_as_it_was() -> None:
    copied = {"op": "copy", "from": "/a", "path": "/b"}
    changed = {"op": "add", "path": "/b/x/-", "value": 2}
    assert json_patch.apply({"a": {"x": [1]}}, [changed | {"path": "/a/x/-"}, copied, changed]) == {
        "a": {"x": [1, 2]},
        "b": {"x": [1, 2, 2]},
    }


def test_many_that_are_taken_from_a_set() -> None:
    gone = {"$deleteFromPrimitiveList/finalizers": NAMES[1:]}
    assert strategic.apply({"finalizers": NAMES}, gone, META) == {"finalizers": NAMES[:1]}
    ordered = {**gone, "$setElementOrder/finalizers": NAMES[:1]}
    assert strategic.apply({"finalizers": NAMES}, ordered, META) == {"finalizers": NAMES[:1]}


def test_what_is_taken_from_a_set_is_text_or_numbers() -> None:
    with pytest.raises(StatusError) as refused:
        strategic.apply({"finalizers": ["a"]}, {"$deleteFromPrimitiveList/finalizers": [["a"]]}, META)
    assert refused.value.code == 400


def test_many_elements_that_are_deleted() -> None:
    doc = {"containers": [{"name": name} for name in NAMES]}
    patch = {"containers": [{"name": name, "$patch": "delete"} for name in NAMES[1:]]}
    assert strategic.apply(doc, patch, POD_SPEC) == {"containers": [{"name": NAMES[0]}]}


def test_many_keys_that_are_retained() -> None:
    doc = dict.fromkeys(NAMES, "")
    assert strategic.apply(doc, {"$retainKeys": NAMES[1:]}, META) == dict.fromkeys(NAMES[1:], "")


# Owners of fields ---------------------------------------------------------------------------------------


def keyed(*names: str, **fields: str) -> Object:
    elements = [{"name": name, **fields} for name in names]
    return {"apiVersion": "example.com/v1", "kind": "A", "metadata": {"name": "a"}, "list": elements}


def apply(live: Object | None, applied: Object, manager: str = "me", *, force: bool = False) -> Object:
    return apply_patch(live, applied, KEYED, manager=manager, force=force, time=THEN)


def test_many_elements_that_stand_twice() -> None:
    live = track_update(None, keyed(*NAMES, *NAMES, x="1"), KEYED, manager="a", time=THEN)
    changed = keyed(*NAMES, *NAMES[:-1], x="2")
    changed["list"].append({"name": NAMES[-1], "x": "1"})
    written = track_update(live, changed, KEYED, manager="b", time=THEN)
    (_, entry) = sorted(written["metadata"]["managedFields"], key=lambda entry: entry["manager"])
    assert len(entry["fieldsV1"]["f:list"]) == MANY


def test_an_element_without_a_name_does_not_hide_those_that_stand_twice() -> None:
    live = track_update(None, keyed("a", "a"), KEYED, manager="a", time=THEN)
    changed = keyed("a", "a")
    changed["list"] = [{}, {"name": "a", "x": 1}, {"name": "a"}]
    written = track_update(live, changed, KEYED, manager="b", time=THEN)
    assert written["metadata"]["managedFields"][-1]["fieldsV1"] == {"f:list": {'k:{"name":"a"}': {}}}


def test_conflicts_with_many_appliers() -> None:
    live = keyed()
    live["data"] = dict.fromkeys(NAMES[:20_000], "")
    live["metadata"]["managedFields"] = [
        {
            "manager": f"m{number}",
            "operation": "Apply",
            "apiVersion": "example.com/v1",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {f"f:{name}": {}}},
        }
        for number, name in enumerate(live["data"])
    ]
    wanted = keyed() | {"data": dict.fromkeys(live["data"], "x")}
    with pytest.raises(StatusError) as refused:
        apply(live, wanted)
    assert len(refused.value.details["causes"]) == len(live["data"])
    assert refused.value.message.startswith("Apply failed with 20000 conflicts: conflicts with ")
    # The second time what was applied before and is owned by the others is looked for.
    assert apply(apply(live, wanted, force=True), keyed(), force=True)["list"] == []


# Kinds --------------------------------------------------------------------------------------------------


def duplicates(found: list[FieldError]) -> int:
    return sum(
        error.reason == "FieldValueDuplicate" or error.message.endswith("duplicate version")
        for error in found
    )


def test_what_stood_before_is_told_by_its_place() -> None:
    assert repeated(["a", "b", "a", "a"]) == {2, 3}
    assert repeated([]) == set()


def checked_lists(values: list[str]) -> dict[str, list[FieldError]]:
    """What is said of the same list by each that looks for repeated values."""
    found: dict[str, list[FieldError]] = {
        key: [] for key in ("review versions", "conversion", "binding conditions", "topology keys", "terms")
    }
    validation._validate_review_versions(values, "p", found["review versions"])
    definitions._validate_review_versions(values, "p", found["conversion"])
    tolerations.check_binding_conditions({"bindingConditions": values}, "p", found["binding conditions"])
    csinodes._validate_topology_keys(values, "p", found["topology keys"])
    terms = [{"matchLabelExpressions": [{"key": "k", "values": values}]}]
    topologies.validate(terms, "p", found["terms"])
    servicerules._validate_addresses({"ipFamilies": values}, found.setdefault("families", []), known=set())
    found["usages"] = certificatesigningrequests.validate_create({"spec": {"usages": values}})
    found["blocks"] = nodes.validate({"spec": {"podCIDRs": values}})
    found["actions"] = validatingadmissionpolicybindings.validate({"spec": {"validationActions": values}})
    return found


def test_many_values_of_which_one_stands_twice() -> None:
    for what, found in checked_lists([*NAMES[:30_000], NAMES[7]]).items():
        assert duplicates(found) == 1, what


def test_many_drivers_of_a_node() -> None:
    old = {"spec": {"drivers": [{"name": name, "nodeID": "a"} for name in NAMES]}}
    new = {"spec": {"drivers": [*old["spec"]["drivers"][:-1], {"name": NAMES[-1], "nodeID": "b"}]}}
    assert len(csinodes.validate_update(new, old)) == 1


def test_many_conditions_of_a_signing_request() -> None:
    def request(conditions: list[dict[str, str]]) -> Object:
        return {"status": {"conditions": conditions}}

    old = request([{"type": name, "status": "True"} for name in NAMES])
    new = request([{"type": kind, "status": "True"} for kind in ["", *["Denied"] * MANY, "Approved"]])
    told = certificatesigningrequests._validate_conditions(new, old)
    assert duplicates(told) == MANY - 1
    assert sum("mutually exclusive" in error.message for error in told) == 1


def test_terms_that_are_all_alike() -> None:
    found: list[FieldError] = []
    topologies.validate([{} for _ in range(10_000)], "p", found)
    assert len(found) == 10_000 * topologies.SAME_TERMS_TOLD_MAX


def test_many_keys_of_a_list() -> None:
    schema = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": NAMES,
        "items": {
            "type": "object",
            "properties": {name: {"type": "string"} for name in NAMES},
            "required": NAMES,
        },
    }
    found: list[FieldError] = []
    schemas._check_keys(schema, "p", found)
    assert found == []
    schemas._check_keys({**schema, "items": {"type": "object"}}, "p", found)
    assert len(found) == schemas.WRONG_KEYS_TOLD_MAX


def test_many_versions_that_are_to_be_stored() -> None:
    found: list[FieldError] = []
    versions: list[dict[str, Any]] = [{"name": name, "storage": True} for name in NAMES]
    stored = [name.upper() for name in NAMES]
    definitions._validate_stored(
        {"spec": {"versions": versions}, "status": {"storedVersions": stored}}, found
    )
    assert len(found) == definitions.LOST_VERSIONS_TOLD_MAX + MANY


def test_many_variables_of_a_policy() -> None:
    variables = [{"name": name, "expression": "1"} for name in NAMES[:20_000]]
    found: list[FieldError] = []
    last = {"name": "last", "expression": "variables.n0 + variables.n19999"}
    known = expressions.check_variables({"variables": [*variables, last]}, found, params=False)
    assert found == []
    assert known is not None
    assert str(known["last"]) == "int"
    early = [{"name": "a", "expression": "variables.b"}, {"name": "b", "expression": "1"}]
    expressions.check_variables({"variables": early}, found, params=False)
    assert [error.field for error in found] == ["spec.variables[0].expression"]


# Custom resources ---------------------------------------------------------------------------------------


def judged(schema: dict[str, Any], value: Any) -> list[FieldError]:
    return values.Rules(schema).check(value).errors


def test_many_wrong_values() -> None:
    schema = {"type": "object", "additionalProperties": {"type": "integer"}}
    assert len(judged(schema, dict.fromkeys(NAMES[:20_000], ""))) == 20_000
    assert len(judged({"items": {"required": NAMES}}, [{} for _ in range(MANY)])) > 10_000


def test_many_choices() -> None:
    schema = {"items": {"enum": NAMES}}
    assert judged(schema, NAMES) == []
    assert 0 < len(judged(schema, [name.upper() for name in NAMES])) < 20


@pytest.mark.parametrize(
    ("choice", "same", "other"),
    [
        (1, [1, 1.0], [True, [1], "1", None]),
        (True, [True], [1, [1], [True], "true"]),
        (["a", True], [["a", True]], [["a", 1], ["a"], "a"]),
        ({"a": [None], "b": 0}, [{"b": 0, "a": [None]}], [{"a": [None]}, {"a": [None], "b": False}]),
        (None, [None], [False, 0, "", [], {}]),
    ],
)
def test_a_choice_is_the_same_json(choice: Any, same: list[Any], other: list[Any]) -> None:
    rules = values.Rules({"enum": [choice], "nullable": True})
    assert not any(rules.check(value).errors for value in same)
    assert all(rules.check(value).errors for value in other)


def test_many_properties_of_many_values() -> None:
    properties = {name: {"type": "string"} for name in NAMES[:20_000]}
    schema = {"items": {"type": "object", "properties": properties}}
    assert len(judged(schema, [{"n7": number % 2 or "", "n3": ""} for number in range(MANY)])) == MANY // 2


def test_a_long_name_above_many_wrong_values() -> None:
    schema = {"additionalProperties": {"items": {"properties": {"a": {"type": "string"}}}}}
    (error,) = judged(schema, {"k" * 300_000: [{"a": 1} for _ in range(20_000)]})
    assert len(error.field) == values.PATH_LENGTH_MAX


# Pods ---------------------------------------------------------------------------------------------------


def test_many_profiles_for_many_containers() -> None:
    spec = {"containers": [{"name": name} for name in NAMES]}
    annotations = {f"{podannotations.APP_ARMOR}{name}": "unconfined" for name in [*NAMES[1:], "other"]}
    found: list[FieldError] = []
    podannotations.validate(annotations, spec, "p", found)
    assert [str(error).partition("/")[2] for error in found] == [
        'other]: Invalid value: "other": container not found'
    ]


def test_many_containers_with_resources_of_their_own() -> None:
    containers = [{"name": name, "resources": {"limits": {f"a.b/{name}": "1"}}} for name in NAMES]
    sidecars = [container | {"restartPolicy": "Always"} for container in containers]
    wanted = [f"a.b/{name}" for name in NAMES]
    assert quota.pod_total({"spec": {"containers": containers}}, "limits") == dict.fromkeys(wanted, "1")
    spec = {"initContainers": [*sidecars, *containers]}
    assert quota.pod_total({"spec": spec}, "limits") == dict.fromkeys(wanted, "2")


@given(CONTAINERS, CONTAINERS)
def test_a_pod_asks_for_the_most_that_runs_at_once(containers: list[Object], initial: list[Object]) -> None:
    """Held against the sum of each moment: of one init container and the sidecars before it, and of all the rest."""
    sidecars: list[Object] = []
    moments: list[list[Object]] = []
    for container in initial:
        moments.append([*sidecars, container])
        if "restartPolicy" in container:
            sidecars.append(container)
    moments.append([*sidecars, *containers])
    sums: list[dict[str, int]] = []
    for moment in moments:
        total: dict[str, int] = {}
        for container in moment:
            for name, amount in container["resources"]["requests"].items():
                total[name] = total.get(name, 0) + int(amount)
        sums.append(total)
    names = {name for total in sums for name in total}
    found = quota.pod_total({"spec": {"containers": containers, "initContainers": initial}}, "requests")
    assert {name: int(amount) for name, amount in found.items()} == {
        name: max(total.get(name, 0) for total in sums) for name in names
    }


# Defaults -----------------------------------------------------------------------------------------------


def test_a_large_default_that_is_missing_in_many_places() -> None:
    default = {"text": "x" * 1_000_000}
    schema = {"items": {"properties": {"a": {"default": default}}}}
    value: list[Any] = [{}, {"a": None}]
    structural.Defaults(schema).fill(value)
    assert value == [{"a": default}] * 2
    with pytest.raises(StatusError) as refused:
        structural.Defaults(schema).fill([{} for _ in range(MANY)])
    assert refused.value.code == 413


def test_many_properties_that_are_missing_in_many_places() -> None:
    properties: dict[str, Any] = {name: {"type": "string"} for name in NAMES}
    properties["n5"] = {"default": 5}
    value = [{"n7": None, "n9": "x"} for _ in range(MANY)]
    structural.Defaults({"items": {"properties": properties}}).fill(value)
    assert value == [{"n9": "x", "n5": 5}] * MANY
