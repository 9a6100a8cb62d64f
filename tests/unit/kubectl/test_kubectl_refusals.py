"""What our kubectl is given and cannot take: it says why in a line, and asks the server for nothing else instead."""

import io
import json
import os

import pytest
from tests.unit.kubectl.recording_server import RecordingServer

from mamekube.client.kubeconfig import ClientConfig
from mamekube.kubectl import main
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.transport import credential_headers

MAPS = "/api/v1/namespaces/default/configmaps"
HEAD = "apiVersion: v1\nkind: ConfigMap\n"


@pytest.fixture
def kubectl(server, tmp_path, monkeypatch, capsys):
    """Run a command; its exit code and what it said on standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))

    def run(*words, at=server.url):
        code = main.main(["--server", at, *words])
        return code, capsys.readouterr().err.rstrip("\n")

    return run


@pytest.fixture
def manifest(tmp_path):
    def write(content):
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / "m.yaml").write_bytes(data)
        return "m.yaml"

    return write


# Names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("get", "cm", ""), ("delete", "cm", ""), ("describe", "cm", "")])
def test_an_empty_name_does_not_stand_for_all(words, kubectl, server):
    assert kubectl(*words) == (1, "error: resource name may not be empty")
    assert not server.asked


@pytest.mark.parametrize(
    ("command", "error"),
    {
        "delete": 'error: error when deleting "m.yaml": resource name may not be empty',
        "replace": 'error: error when replacing "m.yaml": resource name may not be empty',
        "get": "error: resource name may not be empty",
        "apply": 'error: error when retrieving current configuration of:\nResource: "/v1, Resource=configmaps", '
        'GroupVersionKind: "/v1, Kind=ConfigMap"\nName: "", Namespace: "default"\nfrom server for: "m.yaml": '
        "resource name may not be empty",
    }.items(),
)
def test_a_manifest_without_a_name_is_no_collection(command, error, kubectl, server, manifest):
    assert kubectl(command, "-f", manifest(f"{HEAD}metadata: {{labels: {{a: b}}}}\n")) == (1, error)
    assert not server.asked


@pytest.mark.parametrize(
    ("name", "problem"),
    {"a%2fb": "may not contain '%'", "..": "may not be '..'", ".": "may not be '.'"}.items(),
)
def test_a_name_that_a_path_cannot_hold_is_not_asked_for(name, problem, kubectl, server):
    assert kubectl("get", "cm", name) == (1, f'error: invalid resource name "{name}": [{problem}]')
    assert not server.asked


def test_a_manifests_name_leads_into_no_other_resource(kubectl, server, manifest):
    path = manifest(f"{HEAD}metadata: {{name: a/../../secrets/b}}\n")
    code, error = kubectl("delete", "-f", path)
    assert (code, error.endswith("[may not contain '/']")) == (1, True)
    assert not server.asked


def test_a_name_is_no_query(kubectl, server):
    assert kubectl("get", "cm", "a?limit=1")[0] == 1
    assert server.asked == [f"GET {MAPS}/a%3Flimit=1"]


# What is selected ---------------------------------------------------------------------------------------------


def test_a_selector_counts_for_files_too(kubectl, server, manifest):
    two = f"{HEAD}metadata: {{name: one, labels: {{a: b}}}}\n---\n{HEAD}metadata: {{name: two}}\n"
    server.answers = {("GET", f"{MAPS}/{name}"): {"metadata": {"name": name}} for name in ("one", "two")}
    server.answers |= {("DELETE", f"{MAPS}/{name}"): {"status": "Success"} for name in ("one", "two")}
    assert kubectl("delete", "-f", manifest(two), "-l", "a=b", "--wait=false") == (0, "")
    assert server.asked == [f"GET {MAPS}/one", f"DELETE {MAPS}/one"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ("delete", "-f", "m.yaml", "cm", "a"),
            "error: when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well",
        ),
        (
            ("delete", "cm", "--all", "-l", "a=b"),
            "error: setting 'all' parameter but found a non empty selector. ",
        ),
        (
            ("apply", "-f", "m.yaml", "-l", "a in"),
            "error: the provided selector \"a in\" is not valid: unable to parse requirement: found '', expected: '('",
        ),
        (
            ("drain", "a", "--timeout=soon"),
            'error: invalid argument "soon" for "--timeout" flag: time: invalid duration "soon"\n'
            "See 'kubectl drain --help' for usage.",
        ),
        (
            ("drain", "a", "--pod-selector=!"),
            "error: --pod-selector=<pod_selector> must be a valid label selector",
        ),
        (("proxy", "--port=65536"), "error: listen tcp: address 65536: invalid port"),
        (("wait", "cm/a", "--for=jsonpath={.x"), "error: unclosed action"),
        (
            ("get", "cm", "--request-timeout=soon"),
            "error: Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a "
            "corresponding time unit (e.g. 1s | 2m | 3h)",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_done(words, error, kubectl, server, manifest):
    manifest(f"{HEAD}metadata: {{name: a}}\n")
    assert kubectl(*words) == (1, error)
    assert not server.asked


# Files --------------------------------------------------------------------------------------------------------

VALIDATION = "; if you choose to ignore these errors, turn validation off with --validate=false"
INVALID = 'error: error validating "m.yaml": error validating data: '
UNREADABLE = "error: error parsing m.yaml: error converting YAML to JSON: "


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("hello", f"{INVALID}invalid object to validate{VALIDATION}"),
        ("kind: [A]", f"{INVALID}[apiVersion not set, kind isn't string type]{VALIDATION}"),
        ("apiVersion: v1\nkind: List\nitems: [1]", f"{INVALID}invalid object to validate{VALIDATION}"),
        (
            f"{HEAD}metadata: [a]",
            'error: unable to decode "m.yaml": json: cannot unmarshal array into Go struct field '
            "metadataOnlyObject.metadata of type v1.ObjectMeta",
        ),
        (
            f"{HEAD}metadata: {{name: 5}}",
            'error: unable to decode "m.yaml": json: cannot unmarshal number into Go struct field '
            "ObjectMeta.metadata.name of type string",
        ),
        (
            f"{HEAD}metadata: {{annotations: x}}",
            'error: unable to decode "m.yaml": json: cannot unmarshal string into Go struct field '
            "ObjectMeta.metadata.annotations of type map[string]string",
        ),
        (
            f"{HEAD}metadata: {{labels: {{a: true}}}}",
            'error: unable to decode "m.yaml": json: cannot unmarshal bool into Go struct field '
            "ObjectMeta.metadata.labels of type string",
        ),
        (f"{HEAD}data: &x {{x: *x}}", f"{UNREADABLE}yaml: anchor value contains itself"),
        (
            f"{HEAD}data: {{x: !!binary '%'}}",
            f"{UNREADABLE}yaml: !!binary value contains invalid base64 data",
        ),
        (f"{HEAD}data: {'[' * 3000}{']' * 3000}", f"{UNREADABLE}yaml: exceeded max depth"),
        (
            f'{{"kind": {"[" * 3000}{"]" * 3000}}}',
            "error: error parsing m.yaml: json parse error: exceeded max depth",
        ),
        ("\0", f"{UNREADABLE}yaml: control characters are not allowed"),
        (
            b"\xff",
            "error: m.yaml is no text in UTF-8: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        ),
    ],
)
def test_a_file_that_is_no_manifest_is_told_of_in_a_line(text, error, kubectl, server, manifest):
    assert kubectl("create", "-f", manifest(text)) == (1, error)
    assert not server.asked


@pytest.mark.parametrize("recorded", ["{x", "[1]"])
def test_a_last_applied_configuration_that_is_none_is_told_of(recorded, kubectl, server, manifest):
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": recorded}
    server.answers["GET", f"{MAPS}/a"] = {"metadata": {"name": "a", "annotations": annotations}}
    code, error = kubectl("apply", "-f", manifest(f"{HEAD}metadata: {{name: a}}\n"))
    assert code == 1
    assert f"creating patch with:\noriginal:\n{recorded}\nmodified:\n" in error
    assert error.endswith("for:: invalid JSON document")


@pytest.mark.parametrize(
    ("kind", "patch"), [("merge", "[1]"), ("strategic", '"x"'), ("json", '{"a":1}'), ("json", "[1]")]
)
def test_a_patch_that_is_none_is_refused_here_too(kind, patch, kubectl, server):
    server.answers["GET", f"{MAPS}/a"] = {"metadata": {"name": "a"}}
    code, error = kubectl("patch", "cm", "a", "--type", kind, "-p", patch, "--dry-run=client")
    assert (code, error[:7], error.count("\n")) == (1, "error: ", 0)


# Servers ------------------------------------------------------------------------------------------------------


def test_a_refusal_of_a_raw_path_is_a_failure(kubectl, server):
    assert kubectl("get", "--raw", "/api/v1/none?x=y%2f") == (1, "Error from server (NotFound): none")
    assert server.asked == ["GET /api/v1/none?x=y%2f"]


def test_a_server_may_be_below_a_path(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with RecordingServer("/clusters/one") as below:
        below.answers["GET", f"{MAPS}/a"] = {"kind": "ConfigMap", "metadata": {"name": "a"}}
        assert main.main(["--server", f"{below.url}/", "get", "cm", "a", "-o", "name"]) == 0
        assert below.asked == [f"GET /clusters/one{MAPS}/a"]
    assert capsys.readouterr().out == "configmap/a\n"


def test_a_server_without_a_scheme_is_asked_in_the_clear(kubectl, server):
    assert kubectl("get", "--raw", "/version", at=server.place)[1] == "Error from server (NotFound): none"


def test_a_port_that_is_none_is_told_of(kubectl):
    error = "Unable to connect to the server: dial tcp: address 99999: invalid port"
    assert kubectl("get", "cm", at="https://127.0.0.1:99999") == (1, error)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"<html>", f"error: the answer to GET {MAPS}/a is no JSON: "),
        ((500, b"<html>"), "Error from server: <html>"),
        (
            (422, {"reason": "Invalid", "message": "x", "details": {"causes": [{}]}}),
            "The request is invalid: ",
        ),
    ],
)
def test_an_answer_that_nobody_expects_is_told_of(answer, error, kubectl, server):
    server.answers["GET", f"{MAPS}/a"] = answer
    code, said = kubectl("get", "cm", "a", "-o", "json")
    assert (code, said[: len(error)]) == (1, error)


def test_what_a_header_cannot_hold_is_refused_and_not_shown(kubectl, server):
    config = ClientConfig(server="https://a", token="very\nsecret")
    with pytest.raises(Failure) as refused:
        credential_headers(config)
    assert refused.value.text == (
        'Unable to connect to the server: net/http: invalid header field value for "Authorization"'
    )


def test_a_token_is_said_to_nobody_who_could_overhear_it():
    assert credential_headers(ClientConfig(server="http://a", token="t")) == []
    assert credential_headers(ClientConfig(server="https://a", token="t")) == [("Authorization", "Bearer t")]


def test_names_go_into_headers_as_utf_8(kubectl, server):
    kubectl("get", "--raw", "/version", "--as", "日本")
    assert server.headers[0]["Impersonate-User"].encode("latin-1").decode() == "日本"


def test_a_request_has_the_time_that_is_given(kubectl, server):
    kubectl("get", "--raw", "/version?x=y", "--request-timeout=90s")
    assert server.asked == ["GET /version?x=y&timeout=1m30s"]


# kubeconfig files ---------------------------------------------------------------------------------------------

WHOLE = {
    "current-context": "a",
    "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
    "clusters": [{"name": "a", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "a", "user": {}}],
}


def user(**fields):
    return {**WHOLE, "users": [{"name": "a", "user": fields}]}


def cluster(**fields):
    return {**WHOLE, "clusters": [{"name": "a", "cluster": {"server": "https://127.0.0.1:1", **fields}}]}


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({"clusters": 5}, 'error: error loading config file "{}": clusters is no list'),
        ({"clusters": [5]}, 'error: error loading config file "{}": clusters[0] is no map'),
        ({"users": [{"name": 5}]}, 'error: error loading config file "{}": users[0].name is no text'),
        (
            {"contexts": [{"name": "a", "context": 5}]},
            'error: error loading config file "{}": contexts[0].context is no map',
        ),
        (cluster(**{"certificate-authority-data": "!!"}), "error: certificate-authority-data is no base64"),
        (
            cluster(**{"certificate-authority-data": "YWJj"}),
            "error: unable to load root certificates: they are no certificates in PEM",
        ),
        (
            user(**{"client-certificate-data": "YWJj", "client-key-data": "YWJj"}),
            "error: the client certificate and its key cannot be used: ",
        ),
        (user(**{"client-key": "/none/key"}), "error: stat /none/key: no such file or directory"),
    ],
)
def test_a_kubeconfig_that_says_nothing_useful_is_told_of(content, error, tmp_path, capsys):
    file = tmp_path / "config"
    file.write_text(json.dumps(content))
    assert main.main(["--kubeconfig", str(file), "get", "cm"]) == 1
    assert capsys.readouterr().err.startswith(error.format(file))


def test_a_kubeconfig_that_somebody_else_changes_is_told_of(tmp_path, capsys):
    (tmp_path / "config.lock").touch()
    assert main.main(["--kubeconfig", str(tmp_path / "config"), "config", "set-context", "a"]) == 1
    assert capsys.readouterr().err == (
        f"error: {tmp_path}/config.lock is held; remove it if no other program uses it\n"
    )


def test_a_file_that_a_kubeconfig_names_and_that_is_not_there_is_told_of(tmp_path, capsys):
    file = tmp_path / "config"
    file.write_text(json.dumps(cluster(**{"certificate-authority": "/none/ca"})))
    assert main.main(["--kubeconfig", str(file), "config", "view", "--flatten"]) == 1
    assert capsys.readouterr().err == "error: /none/ca: no such file or directory\n"


# What is printed ----------------------------------------------------------------------------------------------


def test_nobody_who_reads_is_no_reason_to_complain(monkeypatch, capsys):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as nobody, monkeypatch.context() as patched:
        patched.setattr("sys.stdout", nobody)
        assert main.main(["help"]) == 141
    assert capsys.readouterr().err == ""


def test_a_character_may_come_in_two_parts(monkeypatch):
    from mamekube.kubectl.commands import logs
    from mamekube.kubectl.flags import Arguments
    from mamekube.kubectl.session import Session

    class Halves:
        def stream(self, path, *, query):
            yield from ("é\n".encode()[:1], "é\n".encode()[1:])

    out = io.StringIO()
    session = Session(Arguments(), out=out)
    session.__dict__["api"] = Halves()
    logs._copy(session, {"metadata": {"name": "p", "namespace": "n"}}, "c", several=False)
    assert out.getvalue() == "é\n"
