"""Lists in chunks, and as tables."""

import gzip
import json

import pytest
from tests.conformance import samples

COUNT = 400
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"


@pytest.fixture
def templates(api, core):
    """The path of many PodTemplates."""
    for number in range(COUNT):
        obj = {"metadata": {"name": f"template-{number:04d}"}, "template": samples.template({"a": "b"})}
        api.create(f"{core}/podtemplates", obj)
    return f"{core}/podtemplates"


def read_in_chunks(api, path, first, limit):
    """Names of the rest of the list after its first chunk; each chunk says how many are still to come."""
    page, names = first, [item["metadata"]["name"] for item in first["items"]]
    while "continue" in page["metadata"]:
        page = api.get(path, limit=limit, **{"continue": page["metadata"]["continue"]})
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        assert 0 < len(page["items"]) <= limit
        names += [item["metadata"]["name"] for item in page["items"]]
        check_remaining(page, COUNT - len(names))
    return names


def check_remaining(page, count):
    """Only a page that is not the last says how many are still to come."""
    assert page["metadata"].get("remainingItemCount") == (count or None)
    assert ("continue" in page["metadata"]) == bool(count)


def all_names():
    return [f"template-{number:04d}" for number in range(COUNT)]


@pytest.mark.conformance("API Chunking, server should return chunks of results for list calls")
def test_a_list_comes_in_chunks_of_one_moment(api, templates):
    for limit in (17, 100, COUNT, COUNT + 1):
        first = api.get(templates, limit=limit)
        assert len(first["items"]) == min(limit, COUNT)
        check_remaining(first, max(COUNT - limit, 0))
        assert read_in_chunks(api, templates, first, limit) == all_names()
    whole = api.get(templates)
    assert "continue" not in whole["metadata"]
    assert [item["metadata"]["name"] for item in whole["items"]] == all_names()


@pytest.mark.conformance(
    "API Chunking, server should support continue listing from the last key even if the original version has been "
    "compacted away",
    note="the store is compacted by hand instead of waiting for minutes",
)
def test_a_list_goes_on_with_what_is_there_when_its_moment_is_forgotten(api, core, templates, control_plane):
    limit = COUNT // 10
    first = api.get(templates, limit=limit)
    # Only something else changes, as a node's lease does all the time.
    api.create(f"{core}/configmaps", {"metadata": {"name": "later"}})
    control_plane.compact()
    token = first["metadata"]["continue"]
    refused = api.refusal("GET", templates, query={"limit": limit, "continue": token})
    assert (refused.code, refused.reason) == (410, "Expired")
    token = refused.status["metadata"]["continue"]
    second = api.get(templates, limit=limit, **{"continue": token})
    assert [item["metadata"]["name"] for item in second["items"]] == all_names()[limit : 2 * limit]
    assert second["metadata"]["remainingItemCount"] == COUNT - 2 * limit
    assert second["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]
    rest = api.get(templates, **{"continue": second["metadata"]["continue"]})
    assert [item["metadata"]["name"] for item in rest["items"]] == all_names()[2 * limit :]
    assert rest["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]


@pytest.mark.conformance("API metadata HTTP return")
def test_what_has_no_metadata_is_no_table(api):
    review = {"spec": {"resourceAttributes": {"resource": "pods", "verb": "get"}}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    refused = api.refusal("POST", path, review, headers={"Accept": TABLE})
    assert (refused.code, refused.reason) == (406, "NotAcceptable")


def test_a_list_of_pods_is_a_table_for_who_asks(api, core):
    api.create(f"{core}/pods", samples.pod("one"))
    table = api.send("GET", f"{core}/pods", headers={"Accept": TABLE}).object
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [column["name"] for column in table["columnDefinitions"]][:3] == ["Name", "Ready", "Status"]
    (row,) = table["rows"]
    assert row["cells"][0] == "one"
    assert row["object"]["kind"] == "PartialObjectMetadata"


def test_a_list_of_metadata_is_compressed_for_who_asks(api, templates):
    headers = {"Accept": METADATA.replace("Metadata;", "MetadataList;"), "Accept-Encoding": "gzip"}
    answer = api.send("GET", templates, headers=headers)
    assert answer.headers["Content-Encoding"] == "gzip"
    listing = json.loads(gzip.decompress(answer.body))
    assert listing["kind"] == "PartialObjectMetadataList"
    assert set(listing["items"][0]) == {"kind", "apiVersion", "metadata"}
