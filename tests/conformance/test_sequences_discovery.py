"""What discovery lists when definitions, APIServices and built-in kinds share groups and versions, in both of its
forms, by the stories of upstream's integration tests.
"""

import pytest
from tests.conformance.api import eventually
from tests.conformance.definitions import DEFINITIONS, OPEN

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
APISERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"


def definition(group, kind, *versions, categories=(), approved=False):
    plural = f"{kind.lower()}s"
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    annotations = {"api-approved.kubernetes.io": "unapproved, testing only"} if approved else {}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "annotations": annotations},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {**names, "categories": list(categories)},
            "versions": [
                {
                    "name": name,
                    "served": True,
                    "storage": name == versions[0],
                    "schema": {"openAPIV3Schema": OPEN},
                }
                for name in versions
            ],
        },
    }


def api_service(group, version, *, minimum=1000, priority=15):
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"{version}.{group}"},
        "spec": {
            "group": group,
            "version": version,
            "insecureSkipTLSVerify": True,
            "groupPriorityMinimum": minimum,
            "versionPriority": priority,
            "service": {"name": "unused", "namespace": "default"},
        },
    }


class Discovery:
    """Both documents, and what a story makes; all of it goes at its end."""

    def __init__(self, api):
        self.api = api
        self._paths = []

    def make(self, place, obj):
        path = f"{place}/{obj['metadata']['name']}"
        if self.api.missing(path):
            self.api.create(place, obj)
            self._paths.append(path)
        else:
            self.api.patch(path, {"spec": obj["spec"]})

    def define(self, *args, **more):
        self.make(DEFINITIONS, definition(*args, **more))

    def register(self, *args, **more):
        self.make(APISERVICES, api_service(*args, **more))

    def remove(self, place, name):
        self.api.delete(f"{place}/{name}")

    def groups(self):
        """Groups with their versions, as `/apis` has had them from the first."""
        groups = self.api.get("/apis")["groups"]
        return [(group["name"], [one["version"] for one in group["versions"]]) for group in groups]

    def aggregated(self):
        return self.api.call("GET", "/apis", headers={"Accept": AGGREGATED})["items"]

    def freshness(self, group):
        """Of the versions of a group."""
        return {
            version["version"]: version["freshness"]
            for found in self.aggregated()
            if found["metadata"]["name"] == group
            for version in found["versions"]
        }

    def resources(self, group, version):
        """The names in both forms, which have to agree."""
        plain = {one["name"] for one in self.api.get(f"/apis/{group}/{version}")["resources"]}
        (found,) = [
            one
            for item in self.aggregated()
            if item["metadata"]["name"] == group
            for one in item["versions"]
            if one["version"] == version
        ]
        return plain, {one["resource"] for one in found["resources"]}

    def lists(self, group, *versions, stale=()):
        """Wait until both forms list these versions of a group and no others, in the same order."""

        def agreed():
            found = self.freshness(group)
            wanted = {name: "Stale" if name in stale else "Current" for name in versions}
            return found == wanted and dict(self.groups()).get(group, []) == list(found)

        eventually(agreed, f"{group} with {versions}, stale {stale}: {self.freshness(group)}")

    def in_order(self):
        """The groups and versions, which are the same in both forms."""
        aggregated = [
            (group["metadata"]["name"], [one["version"] for one in group["versions"]])
            for group in self.aggregated()
        ]
        assert aggregated == self.groups()
        return aggregated

    def clear(self):
        for path in self._paths:
            self.api.send("DELETE", path)


@pytest.fixture
def discovery(api):
    discovery = Discovery(api)
    before = discovery.in_order()
    yield discovery
    discovery.clear()
    # What an earlier test left behind may go meanwhile.
    eventually(lambda: all(group in before for group in discovery.groups()), "what was listed before")
    after = discovery.in_order()
    assert after == [group for group in before if group in after]


def test_a_definition_is_listed_in_the_order_of_its_versions_and_goes(discovery, group):
    discovery.define(group, "Foo", "v1", "v1alpha1", "v1beta1", "v2")
    discovery.lists(group, "v2", "v1", "v1beta1", "v1alpha1")
    discovery.remove(DEFINITIONS, f"foos.{group}")
    discovery.lists(group)


def test_a_version_of_another_server_hides_that_of_a_definition_until_it_goes(discovery, group):
    discovery.register(group, "v1")
    discovery.lists(group, "v1", stale=["v1"])
    discovery.define(group, "Bar", "v1", "v2")
    discovery.lists(group, "v2", "v1", stale=["v1"])
    discovery.remove(APISERVICES, f"v1.{group}")
    discovery.define(group, "Bar", "v1", "v2", "v1alpha1", categories=["all"])
    discovery.lists(group, "v2", "v1", "v1alpha1")


def test_a_group_is_shared_by_another_server_and_a_definition(discovery, group):
    discovery.define(group, "Bar", "v2", "v1alpha1")
    discovery.lists(group, "v2", "v1alpha1")
    discovery.register(group, "v1", priority=100)
    discovery.lists(group, "v2", "v1", "v1alpha1", stale=["v1"])
    discovery.remove(APISERVICES, f"v1.{group}")
    discovery.lists(group, "v2", "v1alpha1")


def test_nothing_is_lost_when_another_server_comes_and_goes(discovery, group):
    discovery.define(group, "Bar", "v1", "v2")
    discovery.lists(group, "v2", "v1")
    # The version's own APIService is there already, and is overwritten.
    path = f"{APISERVICES}/v1.{group}"
    eventually(lambda: not discovery.api.missing(path), "the version's APIService")
    discovery.register(group, "v1", priority=100)
    discovery.remove(APISERVICES, f"v1.{group}")
    discovery.lists(group, "v2", "v1")


def test_built_in_kinds_have_their_version_for_themselves(discovery):
    group = "apiextensions.k8s.io"
    discovery.define(group, "Bar", "v1", "v2", "vfake", approved=True)
    eventually(lambda: {"v1", "v2", "vfake"} <= discovery.freshness(group).keys(), "the versions")
    for version in ("v2", "vfake"):
        assert discovery.resources(group, version) == ({"bars"}, {"bars"})
    plain, aggregated = discovery.resources(group, "v1")
    assert aggregated == {"customresourcedefinitions"}
    assert plain == {"customresourcedefinitions", "customresourcedefinitions/status"}


def test_what_is_built_in_or_defined_is_current_and_what_cannot_be_reached_is_stale(discovery, group):
    assert {one["freshness"] for item in discovery.aggregated() for one in item["versions"]} == {"Current"}
    discovery.define(group, "Foo", "v1", "v2")
    discovery.lists(group, "v2", "v1")
    discovery.register(f"other.{group}", "v1")
    discovery.lists(f"other.{group}", "v1", stale=["v1"])


def test_the_highest_priority_in_a_group_places_it(discovery, group):
    discovery.register(group, "v1", minimum=20_000)
    discovery.register(group, "v1alpha1", minimum=1)
    discovery.register(group, "v1alpha2", minimum=17_300)
    discovery.lists(group, "v1", "v1alpha2", "v1alpha1", stale=["v1", "v1alpha1", "v1alpha2"])
    first, second, *_ = discovery.in_order()
    assert (first[0], second[0]) == ("apiregistration.k8s.io", group)


def test_the_lowest_priority_comes_last(discovery, group):
    discovery.register(group, "v1alpha1", minimum=1)
    discovery.lists(group, "v1alpha1", stale=["v1alpha1"])
    assert discovery.in_order()[-1] == (group, ["v1alpha1"])


def test_versions_have_priorities_and_stand_by_their_names_where_these_are_equal(discovery, group):
    for version, priority in (("v1", 2), ("v1alpha1", 1), ("v1alpha2", 3)):
        discovery.register(group, version, priority=priority)
    discovery.lists(group, "v1alpha2", "v1", "v1alpha1", stale=["v1", "v1alpha1", "v1alpha2"])
    equal = f"equal.{group}"
    versions = ("v2", "v1", "v1beta1", "v1alpha2", "v1alpha1")
    for version in sorted(versions):
        discovery.register(equal, version)
    discovery.lists(equal, *versions, stale=versions)
    assert dict(discovery.in_order())[equal] == list(versions)


def test_every_singular_name_is_that_of_the_kind(discovery):
    for group in discovery.aggregated():
        for version in group["versions"]:
            for one in version["resources"]:
                assert one["singularResource"] == one["responseKind"]["kind"].lower()
