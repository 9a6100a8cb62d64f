"""Tables on the wire: their columns, what rows bear beside their cells, and their order."""

from tests.unit.apiserver.samples import deployment, pod

from mamekube.apiserver import bodies
from mamekube.apiserver.formats import tables
from mamekube.kinds.registry import builtin_registry

TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
FLOWS = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"

WITHOUT_WORDS = {("runtimeclasses", "Handler")}
"""What upstream looks up in the wrong type."""


def definitions_of(kind):
    made = tables.of_objects(kind, (), {}, version="v1", include="None", now_s=0)
    return made["columnDefinitions"]


def test_every_column_of_every_kind_has_words_of_its_own():
    for kind in builtin_registry().all():
        for column in definitions_of(kind):
            known = (kind.plural, column["name"])
            assert bool(column["description"]) == (known not in WITHOUT_WORDS), known


def test_a_column_that_shows_a_field_has_the_words_of_its_definition():
    pods = {column["name"]: column for column in definitions_of(builtin_registry().find("", "v1", "pods"))}
    assert pods["IP"] == {
        "name": "IP",
        "type": "string",
        "format": "",
        "description": "podIP address allocated to the pod. Routable at least within the cluster. Empty if not yet "
        "allocated.",
        "priority": 1,
    }
    assert pods["Age"]["description"].endswith("api-conventions.md#metadata")


def test_a_scale_has_columns_of_its_own():
    shown = [(column["name"], column["type"], column["format"]) for column in definitions_of(bodies.SCALE)]
    assert shown == [
        ("Name", "string", ""),
        ("Desired", "integer", ""),
        ("Available", "integer", ""),
        ("Age", "string", ""),
    ]


async def test_the_scale_of_a_deployment_is_a_row_of_two_numbers(web):
    made = deployment("d")
    made["spec"]["replicas"] = 3
    assert (await web.send("POST", DEPLOYMENTS, made)).code == 201
    answer = await web.send("GET", f"{DEPLOYMENTS}/d/scale", headers=TABLE)
    assert answer.body["rows"][0]["cells"][:3] == ["d", 3, 0]


async def test_rows_of_pods_that_have_ended_bear_a_condition(web):
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    assert (await web.send("POST", PODS.replace("pods", "serviceaccounts"), account)).code == 201
    for name in ("a", "b"):
        assert (await web.send("POST", PODS, pod(name))).code == 201
    ended = {"status": {"phase": "Failed"}}
    merge = {"Content-Type": "application/merge-patch+json"}
    assert (await web.send("PATCH", f"{PODS}/a/status", ended, headers=merge)).code == 200
    condition = {"type": "Completed", "status": "True", "reason": "Failed", "message": "The pod failed."}
    for _ in range(2):  # The second table is made of what the first one left.
        listed = (await web.send("GET", PODS, headers=TABLE)).body["rows"]
        assert [row.get("conditions") for row in listed] == [[condition], None]
    assert list(listed[0]) == ["cells", "conditions", "object"]
    alone = await web.send("GET", f"{PODS}/a", headers=TABLE)
    assert alone.body["rows"][0]["conditions"] == [condition]


async def test_flow_schemas_are_listed_in_the_order_in_which_they_are_tried(web):
    for name, precedence in (("zz", 3), ("aa", 7), ("mm", 3)):
        made = {
            "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
            "kind": "FlowSchema",
            "metadata": {"name": name},
            "spec": {"matchingPrecedence": precedence, "priorityLevelConfiguration": {"name": "l"}},
        }
        assert (await web.send("POST", FLOWS, made)).code == 201
    rows = (await web.send("GET", FLOWS, headers=TABLE)).body["rows"]
    names = [row["cells"][0] for row in rows if row["cells"][0] in ("aa", "mm", "zz")]
    assert names == ["mm", "zz", "aa"]
    assert [row["object"]["metadata"]["name"] for row in rows] == [row["cells"][0] for row in rows]
