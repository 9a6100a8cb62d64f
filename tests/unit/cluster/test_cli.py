"""The command line: refusals are one line with minikube's code, and kubectl gets its own arguments untouched."""

from pathlib import Path

import pytest

from mamekube.cluster import cli, commands, failures


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAMEKUBE_HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["bogus"], failures.USAGE, "bogus"),
        (["start", "--bogus"], failures.USAGE, "--bogus"),
        (["start", "--nodes", "0"], failures.USAGE, "not a number above 0"),
        (["start", "--nodes", "x"], failures.USAGE, "not a number above 0"),
        (["start", "--wait-timeout", "10"], failures.USAGE, "not a duration"),
        (["start", "--kubernetes-version", "v1.35.1"], failures.USAGE, "v1.35.1 is not supported"),
        (["start", "--registry-mirror", "docker.io"], failures.USAGE, "docker.io=http://HOST:PORT"),
        (["start", "-p", "Not_A_Name"], failures.USAGE, "not a valid profile name"),
        (["status"], failures.GUEST_NOT_FOUND, 'Profile "mamekube" not found'),
        (["-p", "x", "ip"], failures.GUEST_NOT_FOUND, "mamekube start -p x"),
        (["ip", "-p", "x"], failures.GUEST_NOT_FOUND, "mamekube start -p x"),
        (["kubectl", "get", "pods"], failures.GUEST_NOT_FOUND, 'Profile "mamekube" not found'),
        (["image", "build", "."], failures.USAGE, "-t/--tag"),
        (["stop", "--", "x"], failures.USAGE, "Unexpected arguments: x"),
    ],
)
def test_a_refusal_is_one_line_with_a_code(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments) == code
    printed = capsys.readouterr()
    assert words in printed.err
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("X ")


@pytest.mark.parametrize("arguments", [["kubectl"], ["kubectl", "--help"], ["kubectl", "get", "--help"]])
def test_kubectl_tells_what_it_can_do_before_there_is_a_cluster(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments) == 0
    assert "Display one or many resources" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "profile", "passed"),
    [
        (["kubectl", "get", "pods", "-p"], "mamekube", ["get", "pods", "-p"]),
        (["kubectl", "--", "get", "pods"], "mamekube", ["get", "pods"]),
        (["-p", "two", "kubectl", "exec", "x", "--", "sh"], "two", ["exec", "x", "--", "sh"]),
        (["--profile=two", "kubectl"], "two", []),
        (["-v", "kubectl", "get", "pods", "-v"], "mamekube", ["get", "pods", "-v"]),
    ],
)
def test_what_follows_kubectl_is_kubectls(
    arguments: list[str], profile: str, passed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(commands, "kubectl", lambda *call: calls.append(call) or 7)
    assert cli.run(arguments) == 7
    assert calls == [(profile, passed)]


@pytest.mark.parametrize(
    ("arguments", "run_in_node"),
    [
        (["ssh"], []),
        (["ssh", "--", "ps", "-ef"], ["ps", "-ef"]),
        (["ssh", "-n", "mamekube-m02", "uptime"], ["uptime"]),
    ],
)
def test_ssh_takes_a_command_with_or_without_dashes(
    arguments: list[str], run_in_node: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(commands, "ssh", lambda parsed: calls.append(parsed.rest) or 0)
    assert cli.run(arguments) == 0
    assert calls == [run_in_node]


def test_durations_are_gos() -> None:
    start = cli.build_parser().parse_args(["start", "--wait-timeout", "1h2m3.5s"])
    assert start.wait_timeout == 3723.5


def test_whoever_is_not_root_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert cli.run(["start"]) == failures.NEEDS_ROOT
    assert "sudo" in capsys.readouterr().err


def test_nothing_slow_is_imported_for_a_command_to_begin() -> None:
    import subprocess
    import sys

    slow = "aiohttp uvloop cryptography yaml ssl asyncio hpack kubernetes_validate"
    program = (
        f"import sys; import mamekube.cluster.cli; print([m for m in '{slow}'.split() if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_file_of_roots_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(name: str) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr("mamekube.cluster.profiles.load", refuse)
    assert cli.run(["status"]) == failures.NEEDS_ROOT
    assert capsys.readouterr().err == f'X {tmp_path} is not permitted. Use "sudo"\n'
