"""What our kubectl makes of the tables of a server."""

import pytest
from tests.unit.kubectl import recording_server
from tests.unit.kubectl.recording_server import CONFIGMAPS

from mamekube.kubectl import main
from mamekube.kubectl.commands.get import cell_text

MAPS = "/api/v1/namespaces/default/configmaps"


def table(*rows, labels=None):
    metadata = {"name": "x", "namespace": "default", "labels": labels or {}}
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": [{"name": "Name", "type": "string"}, {"name": "Data", "type": "string"}],
        "rows": [{"cells": list(row), "object": {"metadata": metadata}} for row in rows],
    }


@pytest.fixture
def kubectl(server, tmp_path, monkeypatch, capsys):
    """Run a command; its exit code and what it said."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))

    def run(*words):
        code = main.main(["--server", server.url, *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""),
        ("a", "a"),
        ("a\nb\nc", "a..."),
        ("a\r\nb", "a..."),
        ("\f", "..."),
        ("\x1b[31mred", "^[[31mred"),
        (3, "3"),
        (True, "true"),
        (1.5, "1.5"),
        (1e6, "1e+06"),
        (2.0, "2"),
        ([1, None], "[1 <nil>]"),
    ],
)
def test_a_cell_is_its_first_line_and_nothing_that_a_terminal_would_obey(cell, text):
    assert cell_text(cell) == text


def test_labels_are_sorted_with_their_values(kubectl, server):
    labels = {"app": "b", "app.kubernetes.io/name": "a"}
    server.answers["GET", MAPS] = table(["x", 1], labels=labels)
    lines = "NAME   DATA   LABELS\nx      1      app.kubernetes.io/name=a,app=b\n"
    assert kubectl("get", "cm", "--show-labels") == (0, lines, "")


SECRETS = {
    **CONFIGMAPS,
    "resource": "secrets",
    "singularResource": "secret",
    "responseKind": {"kind": "Secret"},
}


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ([], "NAME          DATA\nconfigmap/x   1\n\nNAME       DATA\nsecret/y   2\n"),
        (["--no-headers"], "configmap/x   1\nsecret/y   2\n"),
    ],
)
def test_tables_stand_apart_where_they_have_headers(kubectl, server, monkeypatch, flags, text):
    versions = [{"version": "v1", "resources": [CONFIGMAPS, SECRETS]}]
    monkeypatch.setattr(recording_server, "GROUP", {"metadata": {"name": ""}, "versions": versions})
    server.answers["GET", MAPS] = table(["x", 1])
    server.answers["GET", MAPS.replace("configmaps", "secrets")] = table(["y", 2])
    assert kubectl("get", "cm,secret", *flags) == (0, text, "")


def test_a_path_of_the_server_takes_no_words_beside_it(kubectl, server):
    refused = "error: arguments may not be passed when --raw is specified\n"
    assert kubectl("get", "cm", "--raw", "/version") == (1, "", refused)
    assert server.asked == []


def test_an_item_that_is_not_there_is_told_with_the_template_and_the_object(kubectl, server):
    server.answers["GET", f"{MAPS}/x"] = {"kind": "ConfigMap", "data": {"a": None, "b": "c"}, "l": [True, 1]}
    assert kubectl("get", "cm", "x", "-o", "jsonpath={.l[2]}") == (
        1,
        "",
        'error: error executing jsonpath "{.l[2]}": Error executing template: array index out of bounds: index 2, '
        "length 2. Printing more information for debugging the template:\n\ttemplate was:\n\t\t{.l[2]}\n"
        "\tobject given to jsonpath engine was:\n"
        '\t\tmap[string]interface {}{"data":map[string]interface {}{"a":interface {}(nil), "b":"c"}, '
        '"kind":"ConfigMap", "l":[]interface {}{true, 1}}\n\n\n',
    )


def test_a_null_is_a_column_of_its_own_words(kubectl, server):
    server.answers["GET", f"{MAPS}/x"] = {"kind": "ConfigMap", "data": None}
    answer = kubectl("get", "cm", "x", "-o", "custom-columns=A:.data,B:.none")
    assert answer == (0, "A       B\n<nil>   <none>\n", "")


@pytest.mark.parametrize(
    ("output", "error"),
    [
        ("jsonpath", "template format specified but no template given"),
        ("jsonpath=", "template format specified but no template given"),
        ("custom-columns", "custom-columns format specified but no custom columns given"),
    ],
)
def test_a_format_that_needs_more_says_so(kubectl, output, error):
    assert kubectl("get", "cm", "-o", output) == (1, "", f"error: {error}\n")


def test_labels_are_no_part_of_an_object_that_is_shown_as_it_is(kubectl, server):
    error = "error: --show-labels option cannot be used with json printer\n"
    assert kubectl("get", "cm", "--show-labels", "-o", "json") == (1, "", error)
    assert server.asked == []


@pytest.mark.parametrize("output", [[], ["-o", "json"]])
@pytest.mark.parametrize(
    ("flags", "doing"),
    [
        ([], 'Unable to list "/v1, Resource=configmaps"'),
        (
            ["-l", "a in (b"],
            'Unable to find "/v1, Resource=configmaps" that match label selector "a in (b", field selector ""',
        ),
    ],
)
def test_a_list_that_is_refused_says_what_was_looked_for(kubectl, server, output, flags, doing):
    refused = {"kind": "Status", "code": 400, "reason": "BadRequest", "message": "why"}
    server.answers["GET", MAPS] = (400, refused)
    code, shown, error = kubectl("get", "cm", *flags, *output)
    # What is shown as it is is a list, even of what could not be had.
    assert ('"items": []' in shown) == bool(output)
    assert (code, error) == (1, f"Error from server (BadRequest): {doing}: why\n")
