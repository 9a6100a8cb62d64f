"""What storage classes, attachments, and drivers with their nodes and capacities are refused for and warned of."""

import copy
from typing import Any

import pytest

from mamekube.kinds.kind import Kind
from mamekube.kinds.storage import (
    csidrivers,
    csinodes,
    csistoragecapacities,
    storageclasses,
    volumeattachments,
    volumeattributesclasses,
)

SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
NAME_PART = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
OLD_ZONE = "failure-domain.beta.kubernetes.io/zone"
USE_ZONE = 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead'


def refused(kind: Kind, obj: dict[str, Any]) -> list[str]:
    obj = copy.deepcopy(obj)
    kind.default(obj)
    return [str(error) for error in (*kind.validate(obj), *kind.validate_create(obj))]


def changed(kind: Kind, new: dict[str, Any], old: dict[str, Any]) -> list[str]:
    new, old = copy.deepcopy(new), copy.deepcopy(old)
    for obj in (new, old):
        kind.default(obj)
    return [str(error) for error in (*kind.validate(new), *kind.validate_update(new, old))]


def storage_class(**fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": "s"}, "provisioner": "a.com/b", **fields}


def zones(*expressions: dict[str, Any]) -> dict[str, Any]:
    return {"matchLabelExpressions": list(expressions)}


ZONE = {"key": "zone", "values": ["a"]}
T = "allowedTopologies[0].matchLabelExpressions"
CLASSES = [
    (storage_class(parameters={"a": ""}, allowedTopologies=[zones(ZONE)]),),
    (storage_class(provisioner="A.com/B"),),
    (storage_class(provisioner=""), "provisioner: Required value"),
    (storage_class(provisioner="A/-", parameters={"": "a"}, reclaimPolicy="Recycle", volumeBindingMode="Later"),
     f'provisioner: Invalid value: "a/-": {NAME_PART}',
     'parameters: Invalid value: "": field can not be empty.',
     'reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"',
     'volumeBindingMode: Unsupported value: "Later": supported values: "Immediate", "WaitForFirstConsumer"'),
    (storage_class(parameters={"a": "b" * 262144}), "parameters: Too long: may not be more than 262144 bytes"),
    (storage_class(parameters={str(index): "" for index in range(513)}),
     "parameters: Too long: may not be more than 512 bytes"),
    (storage_class(allowedTopologies=[zones({"values": ["a", "a"]}, {"key": "b"}, {"key": "b", "values": ["c"]})]),
     f'{T}[0].values[1]: Duplicate value: "a"',
     f'{T}[0].key: Invalid value: "": name part must be non-empty', f'{T}[0].key: Invalid value: "": {NAME_PART}',
     f"{T}[1].values: Required value",
     f'{T}[2].key: Duplicate value: "b"'),
    (storage_class(allowedTopologies=[zones(ZONE), zones(ZONE)]),
     'allowedTopologies[1].matchLabelExpressions: Duplicate value: ""'),
    (storage_class(allowedTopologies=[zones()]), f'{T}: Duplicate value: ""'),
]  # fmt: skip


@pytest.mark.parametrize("case", CLASSES, ids=lambda case: case[-1][:70] if case[1:] else "fine")
def test_a_storage_class_is_refused_for(case: tuple[Any, ...]) -> None:
    obj, *expected = case
    assert refused(storageclasses.KIND, obj) == expected


def test_a_storage_class_may_change_only_how_volumes_grow() -> None:
    old = storage_class()
    new = storage_class(
        provisioner="c",
        parameters={"a": "b"},
        reclaimPolicy="Retain",
        volumeBindingMode="WaitForFirstConsumer",
    )
    assert changed(storageclasses.KIND, storage_class(allowVolumeExpansion=True), old) == []
    assert changed(storageclasses.KIND, new, old) == [
        "parameters: Forbidden: updates to parameters are forbidden.",
        "provisioner: Forbidden: updates to provisioner are forbidden.",
        "reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.",
        'volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable',
    ]


def test_labels_of_nodes_that_are_deprecated_are_warned_of() -> None:
    old_zone = {"key": OLD_ZONE, "values": ["a"]}
    obj = storage_class(allowedTopologies=[zones(ZONE, old_zone)])
    assert storageclasses.KIND.warnings(obj, obj) == [
        f"allowedTopologies[0].matchLabelExpressions[1].key: {USE_ZONE}"
    ]
    selector = {"matchLabels": {OLD_ZONE: "a"}, "matchExpressions": [{"key": OLD_ZONE, "operator": "Exists"}]}
    assert csistoragecapacities.KIND.warnings({"nodeTopology": selector}, None) == [
        f"nodeTopology.matchExpressions[0].key: {OLD_ZONE} is {USE_ZONE}",
        f"nodeTopology.matchLabels.{OLD_ZONE}: {USE_ZONE}",
    ]


def test_a_class_of_attributes_says_for_whom_and_what() -> None:
    kind = volumeattributesclasses.KIND
    assert refused(kind, {"driverName": "a.com", "parameters": {"a": "b"}}) == []
    assert refused(kind, {"driverName": "a b"}) == [
        f'driverName: Invalid value: "a b": {NAME_PART}',
        "parameters: Required value: must contain at least one key/value pair",
    ]
    old = {"driverName": "a", "parameters": {"a": "b"}}
    assert changed(kind, {"driverName": "b", "parameters": {"a": "c"}}, old) == [
        "driverName: Forbidden: updates to driverName are forbidden.",
        "parameters: Forbidden: updates to parameters are forbidden.",
    ]


def attachment(**spec: Any) -> dict[str, Any]:
    source = {"persistentVolumeName": "v"}
    return {"spec": {"attacher": "a.com", "nodeName": "n", "source": source, **spec}}


def inline(**volume: Any) -> dict[str, Any]:
    source = {"csi": {"driver": "a.com", "volumeHandle": "h"}, "accessModes": ["ReadWriteOnce"], **volume}
    return attachment(source={"inlineVolumeSpec": source})


ONE = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
I, HERE = "spec.source.inlineVolumeSpec", "in the context of inline volumes"  # noqa: E741
ATTACHMENTS = [
    (attachment(),),
    (attachment(attacher="A.com"),),
    (inline(persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem"),),
    ({},
     "spec.attacher: Required value", f"spec.source: Required value: {ONE}",
     f'spec.nodeName: Invalid value: "": {SUBDOMAIN}',
     "spec.attacher: Required value", f'spec.attacher: Invalid value: "": {SUBDOMAIN}'),
    (attachment(attacher="a" * 64, source={"persistentVolumeName": "_"}),
     "spec.attacher: Too long: may not be more than 63 bytes",
     f'spec.source.persistentVolumeName: Invalid value: "_": {SUBDOMAIN}'),
    (attachment(source={"persistentVolumeName": "v", "inlineVolumeSpec": {}}), f"spec.source: Forbidden: {ONE}"),
    (attachment(source={"persistentVolumeName": ""}),
     "spec.source.persistentVolumeName: Required value: must specify non empty persistentVolumeName",
     f'spec.source.persistentVolumeName: Invalid value: "": {SUBDOMAIN}'),
    (inline(csi=None, hostPath={"path": "/a"}, accessModes=[], capacity={"storage": "1"}, claimRef={"name": "c"},
     persistentVolumeReclaimPolicy="Delete", nodeAffinity={}, storageClassName="s", volumeMode="Block"),
     f"{I}.claimRef: Forbidden: may not be specified {HERE}",
     f"{I}.capacity: Forbidden: may not be specified {HERE}",
     f"{I}.csi: Required value: has to be specified {HERE}",
     f"{I}.accessModes: Required value",
     f"{I}.persistentVolumeReclaimPolicy: Forbidden: may only be Retain {HERE}",
     f"{I}.nodeAffinity: Forbidden: may not be specified {HERE}",
     f"{I}.storageClassName: Forbidden: may not be specified {HERE}",
     f"{I}.volumeMode: Forbidden: may not specify volumeMode other than Filesystem {HERE}"),
]  # fmt: skip


@pytest.mark.parametrize("case", ATTACHMENTS, ids=lambda case: case[-1][:70] if case[1:] else "fine")
def test_an_attachment_is_refused_for(case: tuple[Any, ...]) -> None:
    obj, *expected = case
    assert refused(volumeattachments.KIND, obj) == expected


def test_the_status_of_an_attachment_has_a_limit() -> None:
    error = {"message": "m" * 1025, "errorCode": -1}
    status = {
        "attachmentMetadata": {"a": "b" * 262144},
        "attachError": error,
        "detachError": {"errorCode": 3},
    }
    errors = volumeattachments.KIND.validate_status({**attachment(), "status": status}, attachment())
    assert [str(found) for found in errors] == [
        "status.attachmentMetadata: Too long: may not be more than 262144 bytes",
        "status.attachError.message: Too long: may not be more than 262144 bytes",
        "status.attachError.errorCode: Invalid value: -1: must be between 0 and 2147483647, inclusive",
    ]


def driver(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "d"}, "spec": spec}


def tokens(*requested: dict[str, Any]) -> dict[str, Any]:
    return driver(tokenRequests=list(requested))


K = "spec.tokenRequests"
DRIVERS = [
    (driver(),),
    (driver(tokenRequests=[{}], serviceAccountTokenInSecrets=True, nodeAllocatableUpdatePeriodSeconds=10),),
    (driver(fsGroupPolicy="All", volumeLifecycleModes=["Short"], nodeAllocatableUpdatePeriodSeconds=9),
     'spec.fsGroupPolicy: Unsupported value: "All": supported values: "File", "None", "ReadWriteOnceWithFSType"',
     'spec.volumeLifecycleModes: Unsupported value: "Short": supported values: "Persistent", "Ephemeral"',
     "spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 9: must be greater than or equal to 10 seconds"),
    (tokens({"audience": "a", "expirationSeconds": 599}, {"audience": "a", "expirationSeconds": 1},
     {"expirationSeconds": 2**32 + 1}),
     f"{K}[0].expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes",
     f'{K}[1].audience: Duplicate value: "a"',
     f"{K}[2].expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds"),
    (driver(serviceAccountTokenInSecrets=False),
     "spec.serviceAccountTokenInSecrets: Invalid value: false: serviceAccountTokenInSecrets is set but no "
     "tokenRequests are specified"),
]  # fmt: skip


@pytest.mark.parametrize("case", DRIVERS, ids=lambda case: case[-1][:70] if case[1:] else "fine")
def test_a_driver_is_refused_for(case: tuple[Any, ...]) -> None:
    obj, *expected = case
    assert refused(csidrivers.KIND, obj) == expected


def test_a_driver_may_learn_to_do_more() -> None:
    old = driver()
    fine = driver(fsGroupPolicy="File", podInfoOnMount=True, storageCapacity=True, requiresRepublish=True)
    assert changed(csidrivers.KIND, fine, old) == []
    assert changed(
        csidrivers.KIND, driver(attachRequired=False, volumeLifecycleModes=["Ephemeral"]), old
    ) == [
        "spec.attachedRequired: Invalid value: false: field is immutable",
        'spec.volumeLifecycleModes: Invalid value: ["Ephemeral"]: field is immutable',
    ]


def node(*drivers: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "n"}, "spec": {"drivers": list(drivers)}}


D = "spec.drivers[0]"
ON_NODE = {"name": "a.com", "nodeID": "n", "topologyKeys": ["a.com/zone"], "allocatable": {"count": 3}}
ON_NODES = [
    (node(ON_NODE),),
    (node({}),
     f"{D}.name: Required value", f'{D}.name: Invalid value: "": {SUBDOMAIN}', f"{D}.nodeID: Required value"),
    (node({"name": "a" * 64, "nodeID": "i" * 257, "allocatable": {"count": -1}}),
     f"{D}.name: Too long: may not be more than 63 bytes",
     f'{D}.nodeID: Invalid value: "{"i" * 257}": must be 256 characters or less',
     f"{D}.allocatable.count: Invalid value: -1: must be greater than or equal to 0"),
    (node({**ON_NODE, "topologyKeys": ["a", "a", ""]}, ON_NODE),
     f'{D}: Duplicate value: "a"', f"{D}: Required value",
     f'{D}: Invalid value: "": name part must be non-empty', f'{D}: Invalid value: "": {NAME_PART}',
     'spec.drivers[1].name: Duplicate value: "a.com"'),
]  # fmt: skip


@pytest.mark.parametrize("case", ON_NODES, ids=lambda case: case[-1][:70] if case[1:] else "fine")
def test_a_node_of_drivers_is_refused_for(case: tuple[Any, ...]) -> None:
    obj, *expected = case
    assert refused(csinodes.KIND, obj) == expected


def test_a_driver_on_a_node_only_learns_how_many_volumes_fit() -> None:
    more = node({**ON_NODE, "allocatable": {"count": 4}})
    other = node({**ON_NODE, "nodeID": "m", "allocatable": None}, {"name": "b.com", "nodeID": "n"})
    assert changed(csinodes.KIND, more, node(ON_NODE)) == []
    assert changed(csinodes.KIND, node(), node(ON_NODE)) == []
    assert changed(csinodes.KIND, other, node(ON_NODE)) == [
        'spec.drivers: Invalid value: {"Name":"a.com","NodeID":"m","TopologyKeys":["a.com/zone"],"Allocatable":null}: '
        "field is immutable"
    ]


def test_a_capacity_is_one_of_a_class_where_its_selector_says() -> None:
    kind = csistoragecapacities.KIND
    topology = {"matchLabels": {"a": "-"}}
    assert refused(kind, {"storageClassName": "s", "maximumVolumeSize": "-1"}) == []
    errors = refused(kind, {"nodeTopology": topology, "capacity": "-1"})
    assert [error.split(": ")[:2] for error in errors] == [
        ["nodeTopology.matchLabels", "Invalid value"],
        ["storageClassName", "Invalid value"],
        ["capacity", "Invalid value"],
    ]
    old = {"storageClassName": "s", "capacity": "1"}
    assert changed(kind, {**old, "capacity": "2"}, old) == []
    assert changed(kind, {**old, "storageClassName": "t", "nodeTopology": {}}, old) == [
        "nodeTopology: Invalid value: {}: field is immutable",
        'storageClassName: Invalid value: "t": field is immutable',
    ]
