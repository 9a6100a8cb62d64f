"""jsonpath and go-template, as kubectl's users write them."""

import pytest

from mamekube.kubectl import gotemplate, tabs
from mamekube.objects import jsonpath

PODS = {
    "kind": "List",
    "items": [
        {
            "metadata": {"name": "a", "labels": {"app.kubernetes.io/name": "x"}},
            "status": {"phase": "Running", "n": 1, "conditions": [{"type": "Ready", "status": "True"}]},
        },
        {"metadata": {"name": "b"}, "status": {"phase": "Pending", "n": 2, "conditions": []}},
    ],
}

JSONPATHS = [
    ("{.kind}", "List"),
    ("{.items[*].metadata.name}", "a b"),
    ("{.items[0].metadata.name}", "a"),
    ("{.items[-1:].metadata.name}", "b"),
    ("{.items[-1].metadata.name}", "b"),
    ("{range .items[*]}{.metadata.name}{'\\t'}{.status.phase}{\"\\n\"}{end}", "a\tRunning\nb\tPending\n"),
    ('{.items[?(@.status.phase=="Pending")].metadata.name}', "b"),
    ("{.items[?(@.status.n>1)].metadata.name}", "b"),
    ("{.items[0].metadata.labels.app\\.kubernetes\\.io/name}", "x"),
    ("{.items[0].metadata.labels['app\\.kubernetes\\.io/name']}", "x"),
    ("{..name}", "a b"),
    ("{.items[*]['metadata.name','status.phase']}", ""),
    ("{.items[0,1].metadata.name}", "a b"),
    ("{.items[0].status.conditions[?(@.type=='Ready')].status}", "True"),
    ("{.items[0].metadata.labels}", '{"app.kubernetes.io/name":"x"}'),
    ("name: {.items[0].metadata.name}!", "name: a!"),
    ("{.none}", ""),
    ("{.items[*].metadata.none[3]}", ""),
]

NUMBERS = [
    (1000000.0, "1e+06"),
    (1000000.5, "1.0000005e+06"),
    (100000.0, "100000"),
    (123456.5, "123456.5"),
    (2.0, "2"),
    (-1.5, "-1.5"),
    (0.0001, "0.0001"),
    (0.00000123, "1.23e-06"),
    (1.5e30, "1.5e+30"),
    (-0.0, "-0"),
]
"""Numbers that are not whole, as Go prints them."""


@pytest.mark.parametrize(("template", "text"), JSONPATHS, ids=[case[0] for case in JSONPATHS])
def test_jsonpath_templates(template, text):
    assert jsonpath.render(template, PODS) == text


@pytest.mark.parametrize("template", ["{.a", "{range .items[*]}", "{end}", "{.items[x]}"])
def test_bad_jsonpath_is_refused(template):
    with pytest.raises(jsonpath.JSONPathError):
        jsonpath.render(template, PODS)


@pytest.mark.parametrize("path", ["kind", ".kind", "{kind}", "{.kind}"])
def test_kubectl_takes_paths_without_braces_and_dots(path):
    assert jsonpath.find(path, PODS) == ["List"]


GO_TEMPLATES = [
    ("{{range.items}}{{.metadata.name}} {{end}}", "a b "),
    ('{{if(eq .kind "List")}}yes{{else}}no{{end}}', "yes"),
    ('{{if (exists . "items")}}{{range .items}}{{if (exists . "status" "n")}}n{{end}}{{end}}{{end}}', "nn"),
    ("{{.kind}}", "List"),
    ("{{(index .items 0).metadata.name}}", "a"),
    ("{{range .items}}{{.metadata.name}} {{end}}", "a b "),
    ('{{range .items}}{{if eq .status.phase "Running"}}{{.metadata.name}}{{else}}-{{end}}{{end}}', "a-"),
    ('{{range $i, $pod := .items}}{{$i}}={{$pod.metadata.name}}{{"\\n"}}{{end}}', "0=a\n1=b\n"),
    ("{{with .none}}x{{else}}nothing{{end}}", "nothing"),
    ("{{.none}}", "<no value>"),
    ('{{index (index .items 0).metadata.labels "app.kubernetes.io/name"}}', "x"),
    ('{{printf "%s has %d" .kind (len .items)}}', "List has 2"),
    ("{{range .items -}}  {{.metadata.name}}  {{- end}}", "ab"),
    ("{{$n := len .items}}{{$n}}", "2"),
    ("{{if and .kind (not .none)}}yes{{end}}", "yes"),
    ('{{.kind | printf "%q"}}', '"List"'),
    ("{{if .none}}a{{else if .kind}}b{{else}}c{{end}}", "b"),
    ("{{(index .items 0).metadata.labels}}", "map[app.kubernetes.io/name:x]"),
]


@pytest.mark.parametrize(("template", "text"), GO_TEMPLATES, ids=[case[0] for case in GO_TEMPLATES])
def test_go_templates(template, text):
    assert gotemplate.render(template, PODS) == text


@pytest.mark.parametrize("template", ["{{.a", "{{end}}", "{{if .a}}", "{{nothing .a}}", "{{index .items 9}}"])
def test_bad_go_templates_are_refused(template):
    with pytest.raises(gotemplate.TemplateError):
        gotemplate.render(template, PODS)


def test_columns_align_in_blocks():
    assert tabs.align("Name:\ta\nLonger:\tb\n\nX:\tc") == "Name:    a\nLonger:  b\n\nX:  c"
    assert tabs.table([["NAME", "READY", "AGE"], ["kubernetes-bootcamp", "1/1", "5s"]]) == (
        "NAME                  READY   AGE\nkubernetes-bootcamp   1/1     5s\n"
    )


@pytest.mark.parametrize(("number", "text"), NUMBERS)
def test_a_number_is_written_as_go_writes_it(number, text):
    document = {"n": number}
    assert jsonpath.render("{.n}", document) == text
    assert gotemplate.render("{{.n}}", document) == text


def test_a_null_is_told_from_what_is_not_there():
    document = {"n": None, "m": {"a": None}}
    assert jsonpath.render("{.n}-{.none}", document) == "null-"
    assert gotemplate.render("{{.n}}-{{.m}}", document) == "<no value>-map[a:<nil>]"


@pytest.mark.parametrize(
    ("template", "error"),
    [
        ("{.items[2]}", "array index out of bounds: index 2, length 2"),
        ("{.items[-3]}", "array index out of bounds: index -1, length 2"),
        ("{.items[0].metadata[0]}", "map[string]interface {} is not array or slice"),
        ("{.kind[0]}", "string is not array or slice"),
    ],
)
def test_an_item_that_is_not_there_is_no_missing_field(template, error):
    with pytest.raises(jsonpath.JSONPathError) as raised:
        jsonpath.render(template, PODS)
    assert str(raised.value) == error
