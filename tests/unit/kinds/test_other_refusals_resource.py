"""What claims of devices, their templates and classes, and the slices that offer devices are refused for."""

import copy
from typing import Any

import pytest

from mamekube.kinds.kind import Kind
from mamekube.kinds.resource import deviceclasses, resourceclaims, resourceclaimtemplates, resourceslices

LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
IDENTIFIER = (
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric "
    "characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is "
    "'[A-Za-z_][A-Za-z0-9_]*')"
)
REFERENCE = (
    "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
)
GPU = {"deviceClassName": "gpu"}
OPAQUE = {"driver": "gpu.example.com", "parameters": {"a": 1}}


def created(kind: Kind, obj: dict[str, Any]) -> list[str]:
    kind.default(obj)
    return [str(error) for error in (*kind.validate(obj), *kind.validate_create(obj))]


def updated(kind: Kind, new: dict[str, Any], old: dict[str, Any]) -> list[str]:
    return [str(error) for error in (*kind.validate(new), *kind.validate_update(new, old))]


def claim(*requests: dict[str, Any], **devices: Any) -> dict[str, Any]:
    named = [{"name": f"r{index}", **request} for index, request in enumerate(requests)]
    return {"metadata": {"name": "c"}, "spec": {"devices": {"requests": named, **devices}}}


def exact(**wanted: Any) -> dict[str, Any]:
    return claim({"exactly": {**GPU, **wanted}})


def selecting(expression: str) -> dict[str, Any]:
    return exact(selectors=[{"cel": {"expression": expression}}])


def tolerating(**toleration: Any) -> dict[str, Any]:
    return exact(tolerations=[toleration])


R, E = "spec.devices.requests[0]", "spec.devices.requests[0].exactly"
C, O = "spec.devices.constraints[0]", "spec.devices.config[0]"  # noqa: E741
UPPER_EFFECTS = 'supported values: "NoExecute", "NoSchedule", "None"'
CLAIMS = [
    (exact(),),
    (claim(),),
    (claim({"firstAvailable": [{"name": "a", **GPU}, {"name": "b", **GPU}]},
     constraints=[{"requests": ["r0/a"], "matchAttribute": "gpu.example.com/a"}],
     config=[{"requests": ["r0"], "opaque": OPAQUE}]),),
    (claim({"name": "A"}),
     f'{R}.name: Invalid value: "A": {LABEL}',
     f"{R}: Required value: exactly one of `exactly` or `firstAvailable` is required"),
    (claim({"exactly": GPU, "firstAvailable": [GPU]}),
     f'{R}: Invalid value: "null": exactly one of `exactly` or `firstAvailable` is required, but multiple fields are '
     "set"),
    (claim({"exactly": GPU}, {"exactly": GPU, "name": "r0"}),
     'spec.devices.requests[1]: Duplicate value: "r0"'),
    (claim(*[{"exactly": {}}] * 33), "spec.devices.requests: Too many: 33: must have at most 32 items"),
    (claim({"firstAvailable": [{"name": "a"}] * 2}),
     f"{R}.firstAvailable[0].deviceClassName: Required value",
     f"{R}.firstAvailable[1].deviceClassName: Required value",
     f'{R}.firstAvailable[1]: Duplicate value: "a"'),
    (claim({"firstAvailable": [{}] * 9}), f"{R}.firstAvailable: Too many: 9: must have at most 8 items"),
    (exact(deviceClassName="a_b"), f'{E}.deviceClassName: Invalid value: "a_b": {SUBDOMAIN}'),
    (exact(allocationMode="Some"),
     f'{E}.allocationMode: Unsupported value: "Some": supported values: "All", "ExactCount"'),
    (exact(allocationMode="All", count=2),
     f"{E}.count: Invalid value: 2: must not be specified when allocationMode is 'All'"),
    (exact(count=-1), f"{E}.count: Invalid value: -1: must be greater than zero"),
    (exact(selectors=[{}]), f"{E}.selectors[0].cel: Required value"),
    (selecting('device.attributes["gpu.example.com"].model == "a"'),),
    (selecting('cel.bind(gpu, device.attributes["gpu.example.com"], gpu.big && gpu.name.startsWith("x"))'),),
    (selecting('device.capacity["a"].memory.isGreaterThan(quantity("1Gi")) && device.allowMultipleAllocations'),),
    (selecting("device.driver"),
     f'{E}.selectors[0].cel.expression: Invalid value: "device.driver": must evaluate to bool or the unknown type, not '
     "string"),
    (selecting("device.name"),
     f'{E}.selectors[0].cel.expression: Invalid value: "device.name": compilation failed: ERROR: <input>:1:7: '
     "undefined field 'name'\n | device.name\n | ......^"),
    (selecting("device.attributes.all(a, device.attributes.all(b, device.attributes.all(c, device.attributes.all(d, "
     "a == b && c == d))))"),
     f"{E}.selectors[0].cel.expression: Forbidden: too complex, exceeds cost limit"),
    (selecting("a" * 10241), f"{E}.selectors[0].cel.expression: Too long: may not be more than 10240 bytes"),
    (exact(selectors=[{}] * 33), f"{E}.selectors: Too many: 33: must have at most 32 items"),
    (tolerating(key="-", operator="Exists", value="v", effect="Never"),
     f"{E}.tolerations[0].key: Invalid value: \"-\": name part must consist of alphanumeric characters, '-', '_' or "
     "'.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex "
     "used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
     f'{E}.tolerations[0].value: Invalid value: "v": must be empty for operator `Exists`',
     f'{E}.tolerations[0].effect: Unsupported value: "Never": {UPPER_EFFECTS}'),
    (tolerating(operator="In"),
     f'{E}.tolerations[0].operator: Unsupported value: "In": supported values: "Equal", "Exists"'),
    (claim({"exactly": GPU}, constraints=[{"requests": ["r0", "r0", "r1", "a/b/c"]}]),
     f'{C}.requests[2]: Invalid value: "r1": {REFERENCE}',
     f'{C}.requests[3]: Invalid value: "a/b/c": {REFERENCE}',
     f'{C}.requests[1]: Duplicate value: "r0"',
     f'{C}: Required value: exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields '
     "are set"),
    (claim(constraints=[{"matchAttribute": "a"}]),
     f'{C}.matchAttribute: Invalid value: "a": a fully qualified name must be a domain and a name separated by a '
     "slash"),
    (claim(constraints=[{"distinctAttribute": "/1"}]),
     f'{C}.distinctAttribute: Invalid value: "": the domain must not be empty',
     f'{C}.distinctAttribute: Invalid value: "1": {IDENTIFIER}'),
    (claim(config=[{"requests": ["x/y"]}]),
     f'{O}.requests[0]: Invalid value: "x/y": {REFERENCE}', f"{O}.opaque: Required value"),
    (claim(config=[{"opaque": {}}]),
     f"{O}.opaque.driver: Required value", f'{O}.opaque.driver: Invalid value: "": {SUBDOMAIN}',
     f"{O}.opaque.parameters: Required value"),
    (claim(config=[{"opaque": {"driver": "A" * 64, "parameters": [1]}}]),
     f"{O}.opaque.driver: Too long: may not be more than 63 bytes",
     f'{O}.opaque.parameters: Invalid value: "<value omitted>": must be a valid JSON object'),
    (claim(config=[{"opaque": {"driver": "a", "parameters": {"a": "b" * 10240}}}]),
     f"{O}.opaque.parameters: Too long: may not be more than 10240 bytes"),
]  # fmt: skip


@pytest.mark.parametrize("case", CLAIMS, ids=lambda case: case[-1][:70] if case[1:] else "fine")
def test_a_claim_is_refused_for(case: tuple[Any, ...]) -> None:
    obj, *expected = copy.deepcopy(case)
    assert created(resourceclaims.KIND, obj) == expected


def test_a_template_is_refused_for_the_same_and_for_its_metadata() -> None:
    spec = {**claim({}), "metadata": {"labels": {"a": "-"}}}
    errors = created(resourceclaimtemplates.KIND, {"metadata": {"name": "t"}, "spec": spec})
    assert [error.split(":")[0] for error in errors] == [
        "spec.metadata.labels",
        "spec.spec.devices.requests[0]",
    ]


def test_the_spec_of_a_claim_and_of_a_template_stays() -> None:
    old, new = exact(), exact(count=0)
    for kind in (resourceclaims.KIND, resourceclaimtemplates.KIND):
        assert updated(kind, copy.deepcopy(new), new) == []
        (error,) = updated(kind, new, old)
        assert error.startswith("spec: Invalid value: ") and error.endswith(": field is immutable")


def test_drivers_in_capitals_are_warned_of() -> None:
    config = [{"opaque": OPAQUE}, {"opaque": {"driver": "GPU", "parameters": {}}}]
    text = 'driver names should be lowercase; "GPU" contains uppercase characters'
    asking = claim(config=config)
    assert resourceclaims.KIND.warnings(asking, None) == [f"spec.devices.config[1].opaque.driver: {text}"]
    template = {"spec": {"spec": asking["spec"]}}
    expected = f"spec.spec.devices.config[1].opaque.driver: {text}"
    assert resourceclaimtemplates.KIND.warnings(template, None) == [expected]
    chosen = {"spec": {"config": config}}
    assert deviceclasses.KIND.warnings(chosen, chosen) == [f"spec.config[1].opaque.driver: {text}"]
    assert resourceslices.KIND.warnings({"spec": {"driver": "GPU"}}, None) == [f"spec.driver: {text}"]


RESULT = {"request": "r0", "driver": "gpu.example.com", "pool": "node/a", "device": "d0"}
ID = "6b1e6f3a-27d5-4c6b-9b6b-0c8f6a1e2d3c"


def allocation(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"devices": {"results": [{**RESULT, **result} for result in results]}, **more}


ONE = allocation({})
DEVICE = {key: RESULT[key] for key in ("driver", "pool", "device")}
A, D = "status.allocation.devices", "status.devices[0]"
POD = {"resource": "pods", "name": "p", "uid": "u"}
STATUSES = [
    ({"allocation": ONE, "devices": [DEVICE], "reservedFor": [POD]},),
    ({"reservedFor": [POD]}, "status.reservedFor: Forbidden: may not be specified when `allocated` is not set"),
    ({"allocation": ONE, "reservedFor": [POD, {"uid": "u"}]},
     "status.reservedFor[1].resource: Required value", "status.reservedFor[1].name: Required value",
     'status.reservedFor[1]: Duplicate value: "u"'),
    ({"allocation": allocation({"request": "x", "pool": "", "device": "D"})},
     f'{A}.results[0].request: Invalid value: "x": {REFERENCE}',
     f"{A}.results[0].pool: Required value",
     f'{A}.results[0].device: Invalid value: "D": {LABEL}'),
    ({"allocation": allocation({"shareID": ID.upper()}, {"shareID": "a"})},
     f'{A}.results[0].shareID: Invalid value: "{ID.upper()}": uid must be in RFC 4122 normalized form, '
     "`xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters",
     f'{A}.results[1].shareID: Invalid value: "a": error validating uid: invalid UUID length: 1'),
    ({"allocation": allocation({"bindingConditions": ["a", "a"], "bindingFailureConditions": ["a"]})},
     f'{A}.results[0].bindingConditions[1]: Duplicate value: "a"',
     f'{A}.results[0].bindingFailureConditions[0]: Invalid value: "a": bindingFailureConditions must not overlap with '
     "bindingConditions"),
    ({"allocation": allocation({"bindingConditions": ["a"]})},
     f"{A}.results[0].bindingFailureConditions: Invalid value: null: bindingFailureConditions are required to use "
     "bindingConditions"),
    ({"allocation": {"devices": {"config": [{"opaque": OPAQUE}, {"source": "Me", "opaque": OPAQUE}]}}},
     f"{A}.config[0].source: Required value",
     f'{A}.config[1].source: Unsupported value: "Me": supported values: "FromClaim", "FromClass"'),
    ({"allocation": {"nodeSelector": {}}},
     "status.allocation.nodeSelector.nodeSelectorTerms: Required value: must have at least one node selector term"),
    ({"devices": [{**DEVICE, "data": [], "networkData": {"interfaceName": "e" * 257, "ips": ["1.2.3.4", "::01/64"]}}]},
     f'{D}: Invalid value: {{"Driver":"gpu.example.com","Pool":"node/a","Device":"d0","ShareID":""}}: must be an '
     "allocated device in the claim",
     f'{D}.data: Invalid value: "<value omitted>": must be a valid JSON object',
     f"{D}.networkData.interfaceName: Too long: may not be more than 256 bytes",
     f'{D}.networkData.ips[0]: Invalid value: "1.2.3.4": must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or '
     "2001:db8::1/64)",
     f'{D}.networkData.ips[1]: Invalid value: "::01/64": must be in canonical form ("::1/64")'),
    ({"allocation": ONE, "devices": [{**DEVICE, "conditions": [{"type": "a", "status": "True", "reason": "R",
     "lastTransitionTime": "2026-01-01T00:00:00Z"}] * 9}]},
     f"{D}.conditions: Too many: 9: must have at most 8 items",
     *(f'{D}.conditions[{index}].type: Duplicate value: "a"' for index in range(1, 9))),
]  # fmt: skip


@pytest.mark.parametrize("case", STATUSES, ids=lambda case: case[-1][:70] if case[1:] else "fine")
def test_the_status_of_a_claim_is_refused_for(case: tuple[Any, ...]) -> None:
    status, *expected = copy.deepcopy(case)
    obj = {**exact(), "status": status}
    assert [str(error) for error in resourceclaims.KIND.validate_status(obj, exact())] == expected


def test_an_allocation_goes_or_stays_as_it_is() -> None:
    old = {**exact(), "status": {"allocation": ONE}}
    other = {**exact(), "status": {"allocation": allocation({"device": "d1"})}}
    none = {**exact(), "status": {}}
    assert resourceclaims.KIND.validate_status(old, old) == []
    assert resourceclaims.KIND.validate_status(none, old) == []
    (error,) = resourceclaims.KIND.validate_status(other, old)
    assert error.field == "status.allocation" and error.message.endswith("field is immutable")


def test_nobody_reserves_a_claim_that_goes() -> None:
    meta = {"name": "c", "deletionTimestamp": "2026-01-01T00:00:00Z"}
    one, two = (
        {**exact(), "metadata": meta, "status": {"allocation": ONE, "reservedFor": reserved}}
        for reserved in ([POD], [POD, {**POD, "uid": "v"}])
    )
    assert resourceclaims.KIND.validate_status(one, two) == []
    (error,) = resourceclaims.KIND.validate_status(two, one)
    assert str(error) == (
        "status.reservedFor: Forbidden: new entries may not be added while `deallocationRequested` or "
        "`deletionTimestamp` are set"
    )


def test_what_is_told_of_a_device_goes_with_its_allocation() -> None:
    both = allocation({}, {"device": "d1"})
    told = [DEVICE, {**DEVICE, "device": "d1"}]
    old = {"status": {"allocation": both, "devices": told}}
    new = {"status": {"allocation": ONE, "devices": told}}
    resourceclaims.KIND.prepare_status(new, old, 0)
    assert new["status"]["devices"] == [DEVICE]
    none = {"status": {"devices": told}}
    resourceclaims.KIND.prepare_status(none, old, 0)
    assert none["status"] == {}


CLASSES = [
    ({"selectors": [{"cel": {"expression": "true"}}], "config": [{"opaque": OPAQUE}],
      "extendedResourceName": "example.com/gpu"},),
    ({"selectors": [{}], "config": [{}], "extendedResourceName": "cpu"},
     "spec.selectors[0].cel: Required value", "spec.config[0].opaque: Required value",
     'spec.extendedResourceName: Invalid value: "cpu": must be a valid extended resource name'),
    ({"selectors": [{}] * 33, "config": [{}] * 33, "extendedResourceName": "example.com/a b"},
     "spec.selectors: Too many: 33: must have at most 32 items",
     "spec.config: Too many: 33: must have at most 32 items",
     'spec.extendedResourceName: Invalid value: "example.com/a b": must be a valid extended resource name'),
]  # fmt: skip


@pytest.mark.parametrize("case", CLASSES, ids=lambda case: case[-1][:70] if case[1:] else "fine")
def test_a_class_is_refused_for(case: tuple[Any, ...]) -> None:
    spec, *expected = copy.deepcopy(case)
    assert created(deviceclasses.KIND, {"spec": spec}) == expected


def test_expressions_and_parameters_of_a_class_that_were_let_in_may_stay() -> None:
    large = {"driver": "a", "parameters": {"a": "b" * 10240}}
    old = {"spec": {"selectors": [{"cel": {"expression": "old()"}}], "config": [{"opaque": large}]}}
    new = copy.deepcopy(old)
    new["spec"]["extendedResourceName"] = "example.com/gpu"
    assert updated(deviceclasses.KIND, new, old) == []
    assert len(created(deviceclasses.KIND, new)) == 2


def offer(*offered: dict[str, Any], **spec: Any) -> dict[str, Any]:
    named = [{"name": f"d{index}", **device} for index, device in enumerate(offered)]
    pool = {"name": "p", "resourceSliceCount": 1}
    whole = {"driver": "gpu.example.com", "pool": pool, "nodeName": "n", **spec}
    return {"spec": {**whole, **({"devices": named} if named else {})}}


def policy(value: str = "10Gi", **rules: Any) -> dict[str, Any]:
    capacity = {"memory": {"value": value, "requestPolicy": rules}}
    return offer({"allowMultipleAllocations": True, "capacity": capacity})


T, V = "spec.devices[0]", "spec.devices[0].capacity[memory].requestPolicy"
ONE_NODE = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
ONE_EACH = (
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true "
    "in the ResourceSlice spec"
)
SLICES = [
    (offer({"attributes": {"model": {"string": "a"}, "x.com/v": {"version": "1.2.3-a+b"}},
     "capacity": {"m": {"value": "1Gi"}}}),),
    ({"spec": {}},
     "spec.driver: Required value", f'spec.driver: Invalid value: "": {SUBDOMAIN}', "spec.pool.name: Required value",
     "spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero",
     f"spec: Required value: {ONE_NODE}"),
    (offer(pool={"name": "a/", "resourceSliceCount": 1, "generation": -1}),
     f'spec.pool.name: Invalid value: "": {SUBDOMAIN}',
     "spec.pool.generation: Invalid value: -1: must be greater than or equal to zero"),
    (offer(nodeName="", allNodes=False, perDeviceNodeSelection=False),
     'spec.nodeName: Invalid value: "": must be either unset or set to a non-empty string',
     "spec.allNodes: Invalid value: false: must be either unset or set to true",
     "spec.perDeviceNodeSelection: Invalid value: false: must be either unset or set to true",
     f"spec: Required value: {ONE_NODE}"),
    (offer(allNodes=True),
     f'spec: Invalid value: "{{`nodeName`, `allNodes`}}": {ONE_NODE}, but multiple fields are set'),
    (offer({}, sharedCounters=[]), 'spec: Invalid value: "": only one of `sharedCounters` or `devices` is allowed'),
    (offer(sharedCounters=[{"name": "s", "counters": {"m": {"value": "1"}}}]),),
    (offer(sharedCounters=[{}, {"name": "S", "counters": {"M": {}}}]),
     "spec.sharedCounters[0].name: Required value", "spec.sharedCounters[0].counters: Required value",
     f'spec.sharedCounters[1].name: Invalid value: "S": {LABEL}',
     f'spec.sharedCounters[1].counters: Invalid value: "M": {LABEL}'),
    (offer({}, {"name": "d0"}), 'spec.devices[1]: Duplicate value: "d0"'),
    (offer(*[{}] * 129), "spec.devices: Too many: 129: must have at most 128 items"),
    (offer({"taints": [{"key": "a", "effect": "NoSchedule"}]}, *[{}] * 64),
     "spec.devices: Too many: 65: must have at most 64 items"),
    (offer({"taints": [{"effect": "Never"}, {"key": "a", "value": "-"}]}),
     f'{T}.taints[0].key: Invalid value: "": name part must be non-empty',
     f"{T}.taints[0].key: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', and "
     "must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
     "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
     f'{T}.taints[0].effect: Unsupported value: "Never": {UPPER_EFFECTS}',
     f"{T}.taints[1].value: Invalid value: \"-\": a valid label must be an empty string or consist of alphanumeric "
     "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
     "'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
     f"{T}.taints[1].effect: Required value"),
    (offer({"attributes": {"1": {"int": 1}, "a/": {"bool": True}}}),
     f'{T}.attributes: Invalid value: "1": {IDENTIFIER}',
     f'{T}.attributes: Invalid value: "": the name must not be empty'),
    (offer({"attributes": {"a": {"int": 1, "bool": False}, "b": {}, "c": {"version": "1.2"},
     "d": {"string": "x" * 65}}}),
     f'{T}.attributes[a]: Invalid value: {{"bool":false,"int":1}}: exactly one value must be specified',
     f'{T}.attributes[b]: Invalid value: "": exactly one value must be specified',
     f'{T}.attributes[c].version: Invalid value: "1.2": must be a string compatible with semver.org spec 2.0.0',
     f"{T}.attributes[d].string: Too long: may not be more than 64 bytes"),
    (offer({"attributes": {f"a{index}": {"int": 1} for index in range(32)}, "capacity": {"m": {"value": "1"}}}),
     f"{T}: Invalid value: 33: the total number of attributes and capacities must not exceed 32"),
    (offer({"consumesCounters": [{}, {"counterSet": "s", "counters": {"m": {}}}]}),
     f"{T}.consumesCounters[0].counterSet: Required value", f"{T}.consumesCounters[0].counters: Required value"),
    (offer({"allNodes": True}),
     f'{T}: Invalid value: "null": `nodeName`, `nodeSelector` and `allNodes` can only be set if '
     "`perDeviceNodeSelection` is set to true in the ResourceSlice spec"),
    (offer({}, {"nodeName": "n", "allNodes": True}, perDeviceNodeSelection=True, nodeName=None),
     f"{T}: Required value: {ONE_EACH}",
     f'spec.devices[1]: Invalid value: "{{`nodeName`, `allNodes`}}": {ONE_EACH}'),
    (offer({"capacity": {"memory": {"value": "1", "requestPolicy": {}}}}),
     f"{V}: Forbidden: allowMultipleAllocations must be true"),
    (policy(default="1Gi", validValues=["1Gi", "2Gi"]),),
    (policy(default="1Gi", validRange={"min": "1Gi", "max": "3Gi", "step": "1Gi"}),),
    (policy(validValues=["1"]), f"{V}.default: Required value: required when validValues is defined"),
    (policy(default="1", validValues=["1"], validRange={"min": "1"}),
     f'{V}: Forbidden: exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same '
     "time"),
    (policy(default="3", validValues=["2Gi", "1Gi", "1024Mi", "20Gi"]),
     f'{V}.validValues[1]: Invalid value: "1Gi": values must be sorted in ascending order',
     f'{V}.validValues[3]: Invalid value: "20Gi": option is larger than capacity value: 10Gi',
     f'{V}.validValues[2]: Duplicate value: "1073741824"',
     f'{V}.validValues: Invalid value: "3": default value is not valid according to the requestPolicy'),
    (policy(default="20", value="10", validRange={"min": "11", "max": "10", "step": "0"}),
     f'{V}.validRange.min: Invalid value: "11": min is larger than capacity value: 10',
     f'{V}.validRange.max: Invalid value: "11": min is larger than max: 10',
     f'{V}.validRange.default: Invalid value: "20": default is more than max: 10',
     f'{V}.validRange.step: Invalid value: "0": must be greater than zero'),
    (policy(default="1", value="10", validRange={"min": "2", "max": "9", "step": "9"}),
     f'{V}.validRange.default: Invalid value: "1": default is less than min: 2',
     f'{V}.validRange.step: Invalid value: "9": one step 11 is larger than capacity value: 10',
     f'{V}.validRange.step: Invalid value: "1": value is not a multiple of a given step (9) from (2)',
     f'{V}.validRange.step: Invalid value: "9": value is not a multiple of a given step (9) from (2)'),
]  # fmt: skip


@pytest.mark.parametrize("case", SLICES, ids=lambda case: case[-1][:70] if case[1:] else "fine")
def test_a_slice_is_refused_for(case: tuple[Any, ...]) -> None:
    obj, *expected = copy.deepcopy(case)
    assert created(resourceslices.KIND, obj) == expected


def test_a_slice_keeps_its_driver_pool_and_node() -> None:
    old = offer({})
    new = offer({}, driver="b", pool={"name": "q", "resourceSliceCount": 2}, nodeName=None, allNodes=True)
    assert updated(resourceslices.KIND, new, old) == [
        'spec.pool.name: Invalid value: "q": field is immutable',
        'spec.driver: Invalid value: "b": field is immutable',
        'spec.nodeName: Invalid value: "null": field is immutable',
    ]


def test_capacity_and_taints_that_stay_are_not_looked_at_again() -> None:
    bad = {"taints": [{}], "capacity": {"m": {"value": "1", "requestPolicy": {}}}}
    old = offer(bad)
    assert updated(resourceslices.KIND, offer(bad, {}), old) == []
    changed = offer({**bad, "taints": [{"key": "a"}]})
    assert updated(resourceslices.KIND, changed, old) == [f"{T}.taints[0].effect: Required value"]


def test_quantities_are_kept_in_their_one_form() -> None:
    obj = policy("1024Mi", default="1000m", validRange={"min": "0", "step": "2048Mi"})
    resourceslices.KIND.default(obj)
    assert obj["spec"]["devices"][0]["capacity"]["memory"] == {
        "value": "1Gi",
        "requestPolicy": {"default": "1", "validRange": {"min": "0", "step": "2Gi"}},
    }
    asking = exact(capacity={"requests": {"memory": "1024Mi"}})
    resourceclaims.KIND.default(asking)
    assert asking["spec"]["devices"]["requests"][0]["exactly"]["capacity"] == {"requests": {"memory": "1Gi"}}


def test_what_no_cluster_has_switched_on_is_dropped() -> None:
    device = {"attributes": {"a": {"ints": [1]}}, "nodeAllocatableResourceMappings": {"cpu": {}}}
    obj = offer(device)
    resourceslices.KIND.prepare_create(obj)
    assert obj["spec"]["devices"] == [{"name": "d0", "attributes": {"a": {}}}]
