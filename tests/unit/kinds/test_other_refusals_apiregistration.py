"""What an APIService is refused for."""

import copy
from typing import Any

import pytest

from mamekube.kinds.apiregistration import apiservices

SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)


def service(name: str = "v1.a.com", **spec: Any) -> dict[str, Any]:
    whole = {"group": "a.com", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1, **spec}
    return {"metadata": {"name": name}, "spec": whole}


HOME = {"namespace": "n", "name": "s"}
SERVICES = [
    (service(),),
    (service("v1.", group=""),),
    (service(service=HOME, caBundle="YWJj"),),
    (service(service={**HOME, "port": 8443}, insecureSkipTLSVerify=True),),
    (service("v2.a.com"),
     'metadata.name: Invalid value: "v2.a.com": must be `spec.version+"."+spec.group`: "v1.a.com"'),
    (service("v2.", group="", version="v2"),
     "spec.group: Required value: only v1 may have an empty group and it better be legacy kube"),
    (service("1.A", group="A", version="1", groupPriorityMinimum=0, versionPriority=1001),
     f'spec.group: Invalid value: "A": {SUBDOMAIN}', f'spec.version: Invalid value: "1": {LABEL}',
     "spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000",
     "spec.versionPriority: Invalid value: 1001: must be positive and less than 1000"),
    (service(caBundle="YWJj", insecureSkipTLSVerify=True),
     'spec.caBundle: Invalid value: "3 bytes": local APIServices may not have a caBundle',
     "spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify"),
    (service(service={"port": 0}, caBundle="YWJj", insecureSkipTLSVerify=True),
     "spec.service.namespace: Required value", "spec.service.name: Required value",
     "spec.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive",
     "spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present"),
]  # fmt: skip


@pytest.mark.parametrize("case", SERVICES, ids=lambda case: case[-1][:70] if case[1:] else "fine")
def test_an_api_service_is_refused_for(case: tuple[Any, ...]) -> None:
    obj, *expected = copy.deepcopy(case)
    apiservices.KIND.default(obj)
    assert [str(error) for error in apiservices.KIND.validate(obj)] == expected


def test_conditions_of_an_api_service_are_true_false_or_unknown() -> None:
    status = {"conditions": [{"type": "Available", "status": "True"}, {"type": "Available"}]}
    (error,) = apiservices.KIND.validate_status({"status": status}, {})
    assert str(error) == (
        'status.conditions[1].status: Unsupported value: "": supported values: "True", "False", "Unknown"'
    )


def test_an_api_of_the_server_itself_is_there_from_the_first() -> None:
    own, other = service(), service(service=HOME)
    for obj in (own, other):
        obj["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
        apiservices.KIND.prepare_create(obj)
    assert own["status"]["conditions"] == [
        {
            "type": "Available",
            "status": "True",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
            "reason": "Local",
            "message": "Local APIServices are always available",
        }
    ]
    assert other["status"] == {}
