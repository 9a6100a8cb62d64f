"""What was right when it was applied may stay when the schema becomes stricter: step by step as upstream's own test
applies it, to the object and to its status.
"""

import copy
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.conformance.api import APPLY
from tests.conformance.definitions import collection, custom, definition, version

TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
TEXTS, NUMBERS = ({"type": "object", "additionalProperties": one} for one in (TEXT, NUMBER))
LIST = {"type": "array", "items": TEXT}
NAME = "mycrdinstance"


@dataclass
class Takes:
    """An apply that has to be taken."""

    fields: dict[str, Any]


@dataclass
class Refuses:
    """An apply that has to be refused, of the object and of its status alike."""

    fields: dict[str, Any]


@dataclass
class Becomes:
    """What is merged into the schema's properties."""

    properties: dict[str, Any]


@dataclass
class Story:
    properties: dict[str, Any]
    steps: list[Takes | Refuses | Becomes]
    status: bool = True
    more: dict[str, Any] = field(default_factory=dict)


def merged(value, patch):
    """A JSON merge patch."""
    if not isinstance(patch, dict):
        return patch
    made = dict(value) if isinstance(value, dict) else {}
    for key, inner in patch.items():
        if inner is None:
            made.pop(key, None)
        else:
            made[key] = merged(made.get(key), inner)
    return made


HI = {"key1": "hi", "key2": "there"}
BUDDY = {**HI, "key3": "buddy"}
THREE = ["value1", "value2", "value3"]
TEN = [*THREE, *"45678", "9", "10"]
LONG, OTHER = "valueThatsVeryLongSee", {"otherField": "otherValue"}
NO_FORMAT, BYTES = "doesnt abide any format", "dGhpcyBpcyBwYXNzd29yZA=="


def port(name, number, text="value"):
    return {"name": name, "port": number, "field": text}


NGINX, ETCD, SERVER, DEV = (
    port("nginx", 443),
    port("etcd", 2379),
    port("kube-apiserver", 6443),
    port("dev", 8080),
)
PORTS = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name", "port"],
    "items": {
        "type": "object",
        "required": ["name", "port"],
        "properties": {"name": TEXT, "port": NUMBER, "field": TEXT},
    },
}
ONE, TWO = {"name": "1", "key": "value"}, {"name": "2", "key": "value"}
NAMED = {"type": "object", "properties": {"stringField": TEXT, "intField": NUMBER, "otherIntField": NUMBER}}


def named(text, number=None, **more):
    return {"stringField": text, **({} if number is None else {"intField": number}), **more}


FIRST, SECOND, THIRD = named("a string", 5), named("another string", 15), named("a third string", 7)
PREFIX = {"rule": "self.startsWith('k8s')", "message": "strings must have k8s prefix"}
ODD = {"rule": "self.size() % 2 == 1", "message": "strings must have odd length"}


def ruled(*rules):
    below = {"properties": {"stringField": {"x-kubernetes-validations": list(rules)}}}
    return Becomes({"field": {"additionalProperties": below}})


STORIES = {
    "least and most": Story(
        {"hasMinimum": NUMBER, "hasMaximum": NUMBER, "both": NUMBER},
        [
            Takes({"hasMinimum": 0, "hasMaximum": 1000, "both": 50}),
            Becomes(
                {
                    "hasMinimum": {"minimum": 10},
                    "hasMaximum": {"maximum": 20},
                    "both": {"minimum": 10, "maximum": 20},
                    "free": NUMBER,
                }
            ),
            Takes({"free": 50}),
            Refuses({"hasMinimum": 5}),
            Refuses({"hasMinimum": 5, "hasMaximum": 21}),
            Takes({"hasMinimum": 11}),
            Takes({"hasMaximum": 19, "both": 15}),
        ],
    ),
    "alternatives": Story(
        {"enumField": TEXT},
        [
            Takes({"enumField": "okValueNowBadValueLater"}),
            Becomes({"enumField": {"enum": ["A", "B", "C"]}, "otherField": TEXT}),
            Takes({"enumField": "okValueNowBadValueLater"}),
            Takes({"enumField": "okValueNowBadValueLater", "otherField": "anythingGoes"}),
            Refuses({"enumField": "D"}),
            Takes({"enumField": "A"}),
            Refuses({"enumField": "okValueNowBadValueLater"}),
        ],
    ),
    "values of maps": Story(
        {"nums": NUMBERS, "content": TEXTS},
        [
            Takes({"nums": {"num1": 1, "num2": 1000000}, "content": {"k1": "some", "k2": "other"}}),
            Becomes({"nums": {"additionalProperties": {"minimum": 1000}}}),
            Takes({"nums": {"num1": 1, "num2": 2000}}),
            Refuses({"nums": {"num1": 2, "num2": 2000}}),
        ],
    ),
    "sizes of maps": Story(
        {"restricted": TEXTS, "unrestricted": TEXTS},
        [
            Takes({"restricted": HI}),
            Becomes({"restricted": {"minProperties": 1, "maxProperties": 1}}),
            Takes({"restricted": HI, "unrestricted": {"key1": "yo"}}),
            Refuses({"restricted": {**HI, "key1": "changed"}, "unrestricted": {"key1": "yo"}}),
            Becomes({"restricted": {"minProperties": 2, "maxProperties": None}}),
            Takes({"restricted": BUDDY}),
            Refuses({"restricted": {"key1": "hi", "key2": None, "key3": None}}),
            Becomes({"restricted": {"minProperties": None, "maxProperties": 1}}),
            Takes({"restricted": BUDDY, "unrestricted": {"key1": "value", "key2": "value"}}),
            Refuses({"restricted": {**BUDDY, "key2": "theres"}}),
        ],
    ),
    "too few elements": Story(
        {"field": TEXT, "array": LIST},
        [
            Takes({"array": THREE}),
            Becomes({"array": {"minItems": 10}}),
            Takes({"array": THREE, "field": "value"}),
            Refuses({"array": ["value2", "value2", "value3"]}),
            Refuses({"array": [*THREE, "value4"]}),
            Takes({"array": TEN}),
            Refuses({"array": THREE}),
        ],
    ),
    "too many elements": Story(
        {"field": TEXT, "array": LIST},
        [
            Takes({"array": THREE}),
            Becomes({"array": {"maxItems": 1}}),
            Takes({"array": THREE, "field": "value"}),
            Refuses({"array": ["value2", "value2", "value3"]}),
            Refuses({"array": ["value1", "value2"]}),
            Takes({"array": ["value1"]}),
            Refuses({"array": THREE}),
        ],
    ),
    "lengths": Story(
        {"minField": TEXT, "maxField": TEXT, "otherField": TEXT},
        [
            Takes({"minField": "value", "maxField": LONG}),
            Becomes({"minField": {"minLength": 10}, "maxField": {"maxLength": 15}}),
            Takes({"minField": "value", "maxField": LONG, **OTHER}),
            Takes({"minField": "valuelength13", "maxField": LONG, **OTHER}),
            Takes({"maxField": "l2"}),
            Refuses({"maxField": "valuewithlength17"}),
            Refuses({"minField": "value"}),
            Refuses({"maxField": LONG}),
        ],
    ),
    "patterns": Story(
        {"field": TEXT},
        [
            Takes({"field": "doesnt abide pattern"}),
            Becomes({"field": {"pattern": "^[1-9]+$"}, "otherField": TEXT}),
            Takes({"field": "doesnt abide pattern", "otherField": "added"}),
            Refuses({"field": "w123", "otherField": "added"}),
            Takes({"field": "123", "otherField": "added"}),
        ],
    ),
    "formats": Story(
        {"field": TEXT},
        [
            Takes({"field": NO_FORMAT}),
            Becomes({"field": {"format": "byte"}, "otherField": TEXT}),
            Takes({"field": NO_FORMAT, "otherField": "value"}),
            Refuses({"field": "asd"}),
            Takes({"field": BYTES}),
            Becomes({"field": {"format": "date-time"}}),
            Takes({"field": BYTES, "otherField": "value2"}),
            Takes({"field": "2018-11-13T20:20:39+00:00", "otherField": "value2"}),
            Refuses({"field": BYTES, "otherField": "value2"}),
            Refuses({"field": NO_FORMAT}),
        ],
    ),
    "lists that are maps in another order": Story(
        {"field": PORTS},
        [
            Takes({"field": [NGINX, ETCD, SERVER]}),
            Becomes({"field": {"maxItems": 2}}),
            Takes({"field": [SERVER, NGINX, ETCD]}),
            Refuses({"field": [SERVER, NGINX, ETCD, DEV]}),
            Becomes({"field": {"maxItems": None, "items": {"properties": {"port": {"multipleOf": 2}}}}}),
            Takes({"field": [NGINX, ETCD, SERVER]}),
            Takes({"field": [NGINX, ETCD, port("kube-apiserver", 6443, "changed"), DEV]}),
        ],
    ),
    "elements have no other name than their keys": Story(
        {"values": {"type": "array", "items": TEXTS}, "otherField": TEXT},
        [
            Takes({"values": [ONE, TWO]}),
            Becomes({"values": {"items": {"additionalProperties": {"minLength": 6}}}}),
            Refuses({"values": [ONE, {**TWO, "key": "bad"}]}),
            Takes({"values": [ONE, TWO], "otherField": "hello world"}),
            Refuses({"values": [ONE, {**TWO, "key2": "valid value"}]}),
            Refuses({"values": [{**TWO, "key2": "valid value"}, ONE]}),
        ],
    ),
    "optional old values": Story(
        {
            "field": {
                **TEXT,
                "x-kubernetes-validations": [
                    {
                        "rule": "!oldSelf.hasValue()",
                        "message": "oldSelf must be null",
                        "optionalOldSelf": True,
                    }
                ],
            }
        },
        [Takes({"field": "value"}), Refuses({"field": "value2"}), Refuses({"field": "value"})],
        status=False,
    ),
    "transition rules": Story(
        {},
        [
            Takes({"myStringField": "myStringValue", "myOtherField": "myOtherField"}),
            Becomes(
                {
                    "myStringField": {
                        **TEXT,
                        "x-kubernetes-validations": [
                            {"rule": "oldSelf != 'myStringValue' || self == 'validstring'"}
                        ],
                    }
                }
            ),
            Refuses({"myOtherField": "myNewOtherField", "myStringField": "myStringValue"}),
            Takes({"myStringField": "validstring", "myOtherField": "myNewOtherField"}),
        ],
        status=False,
        more={"x-kubernetes-preserve-unknown-fields": True},
    ),
    "rules": Story(
        {"field": {"type": "object", "additionalProperties": NAMED}},
        [
            Takes({"field": {"object1": FIRST, "object2": SECOND, "object3": THIRD}}),
            ruled(PREFIX),
            Takes(
                {
                    "field": {
                        "object1": FIRST,
                        "object2": SECOND,
                        "object3": THIRD,
                        "object4": named("k8s third string", 7),
                    }
                }
            ),
            Takes(
                {
                    "field": {
                        "object1": named("a string", 15),
                        "object2": named("another string", 10, otherIntField=20),
                    }
                }
            ),
            Refuses(
                {"field": {"object2": named("a changed string"), "object3": named("a changed third string")}}
            ),
        ],
    ),
    "one of two rules": Story(
        {"field": {"type": "object", "additionalProperties": NAMED}},
        [
            Takes({"field": {"object1": named("a string", 5), "object4": named("k8s third string", 7)}}),
            ruled(PREFIX, ODD),
            Takes(
                {"field": {"object1": named("a string", 1000), "object4": named("k8s third string", 7000)}}
            ),
            Refuses(
                {"field": {"object1": named("k8s third string", 1000), "object4": named("a string", 7000)}}
            ),
            Takes(
                {
                    "field": {
                        "object1": named("k8s a stringy", 1000),
                        "object4": named("k8s third stringy", 7000),
                    }
                }
            ),
        ],
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_what_was_right_may_stay(api, group, namespace, made, name):
    story = STORIES[name]
    schema = {"type": "object", "properties": copy.deepcopy(story.properties), **story.more}

    def versions():
        whole = copy.deepcopy(schema)
        if story.status:
            whole["properties"]["status"] = copy.deepcopy(schema)
        return [version("v1beta1", whole, subresources={"status": {}})]

    crd = definition(group, *versions(), kind="MyCoolCRD")
    path = made(crd)
    place = f"{collection(crd, 'v1beta1', namespace)}/{NAME}"

    def apply(below, **fields):
        body = json.dumps(custom(crd, "v1beta1", NAME, **fields)).encode()
        query = {"fieldManager": "manager"}
        return api.send("PATCH", place + below, body, content_type=APPLY, query=query)

    for number, step in enumerate(story.steps):
        if isinstance(step, Becomes):
            schema = merged(schema, {"properties": step.properties})
            api.patch(path, {"spec": {"versions": versions()}})
            continue
        answers = [apply("", **step.fields)]
        if story.status:
            answers.append(apply("/status", status=step.fields))
        for answer in answers:
            wanted = (200, 201) if isinstance(step, Takes) else (422,)
            assert answer.code in wanted, (number, step, answer.body)
