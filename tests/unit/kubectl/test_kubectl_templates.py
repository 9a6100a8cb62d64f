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
]


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
