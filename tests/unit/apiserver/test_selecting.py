"""Selectors find in an item's bytes what decoding it would say, and decode only what may be meant."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as some

from mamekube.apiserver.options import ListOptions
from mamekube.apiserver.selecting import predicate
from mamekube.kinds.core import nodes, pods
from mamekube.objects import selectors
from mamekube.store.store import Item, encode, stamp

texts = some.text(alphabet='ab"\\{},:', max_size=5)
label_maps = some.dictionaries(texts, texts, max_size=3)


def item(obj, *, stored=None):
    return Item("/registry/core/pods/default/p", encode(obj) if stored is None else stored, 7, 7)


def pod(labels=None, **spec):
    metadata = {"name": "p", "namespace": "default", **({"labels": labels} if labels is not None else {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@given(labels=some.none() | label_maps, others=label_maps, stamped=some.booleans(), ours=some.booleans())
def test_the_labels_found_in_the_bytes_are_those_of_the_object(labels, others, stamped, ours):
    """Whoever stored it: with the labels in front, as `encode` does, or anywhere; there are other labels, too."""
    obj = pod(labels, template={"metadata": {"labels": others}})
    obj["metadata"]["annotations"] = {"labels": '"labels":{"a":"b"}'}
    stored = encode(obj) if ours else orjson.dumps(obj)
    found = item(obj, stored=stamp(stored, 7) if stamped else stored)
    assert orjson.loads(found.labels) == (labels or {})


def test_what_the_labels_decide_is_not_decoded(monkeypatch):
    selected = predicate(pods.KIND, ListOptions(labels=selectors.parse("app=web")))
    items = [item(pod({"app": app})) for app in ("web", "db", "web")]
    monkeypatch.setattr(Item, "object", property(lambda item: pytest.fail("decoded")))
    monkeypatch.setattr(Item, "transient", lambda item: pytest.fail("decoded"))
    assert [selected(one) for one in items] == [True, False, True]


def test_only_what_has_the_value_of_the_field_somewhere_is_decoded(monkeypatch):
    selected = predicate(pods.KIND, ListOptions(fields=selectors.parse_fields("spec.nodeName=n1")), once=True)
    decoded = []
    transient = Item.transient
    monkeypatch.setattr(Item, "transient", lambda item: decoded.append(item) or transient(item))
    items = [item(pod(nodeName="n1")), item(pod(nodeName="n2")), item(pod({"node": "n1"}, nodeName="n2"))]
    assert [selected(one) for one in items] == [True, False, False]
    assert decoded == [items[0], items[2]]


@pytest.mark.parametrize(
    ("kind", "text", "obj", "expected"),
    [
        (nodes.KIND, "spec.unschedulable=false", {"metadata": {"name": "n"}}, True),
        (nodes.KIND, "spec.unschedulable=true", {"metadata": {"name": "n"}}, False),
        (pods.KIND, "spec.hostNetwork=false", pod(), True),
        (pods.KIND, "spec.nodeName=", pod(), True),
        (pods.KIND, "spec.nodeName!=n1", pod(), True),
        (pods.KIND, "metadata.name=p,spec.nodeName!=n1", pod(nodeName="n1"), False),
        (pods.KIND, 'status.phase=a"b', {**pod(), "status": {"phase": 'a"b'}}, True),
        (pods.KIND, "status.phase=ä", {**pod(), "status": {"phase": "ä"}}, True),
    ],
)
def test_a_value_that_need_not_be_in_the_bytes_is_looked_for_in_the_object(kind, text, obj, expected):
    selected = predicate(kind, ListOptions(fields=selectors.parse_fields(text)))
    assert selected(item(obj)) is expected


def test_labels_and_fields_select_together():
    options = ListOptions(
        labels=selectors.parse("app=web"), fields=selectors.parse_fields("spec.nodeName=n1")
    )
    selected = predicate(pods.KIND, options)
    assert selected(item(pod({"app": "web"}, nodeName="n1")))
    assert not selected(item(pod({"app": "db"}, nodeName="n1")))
    assert not selected(item(pod({"app": "web"}, nodeName="n2")))
