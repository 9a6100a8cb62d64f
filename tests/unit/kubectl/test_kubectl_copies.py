"""Files into a container and out of it, against a server whose container is a folder."""

import io
import os
import tarfile

import pytest
from tests.unit.kubectl.pod_server import PodServer

from mamekube.kubectl import main
from mamekube.kubectl.commands import cp


@pytest.fixture
def container(tmp_path):
    folder = tmp_path / "container"
    folder.mkdir()
    with PodServer(folder) as server:
        yield server


@pytest.fixture
def local(tmp_path, monkeypatch):
    folder = tmp_path / "local"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def kubectl(container, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))

    def run(*words):
        return main.main(["--server", container.url, "--token", "t", *words])

    return run


def tree(folder):
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if not path.is_symlink()
    }


def test_a_file_goes_in_under_its_new_name(kubectl, container, local):
    (local / "a.txt").write_text("hello")
    assert kubectl("cp", "a.txt", "p:b.txt") == 0
    assert tree(container.folder) == {"b.txt": "hello"}
    assert container.commands == [["test", "-d", "b.txt"], ["tar", "-xmf", "-", "-C", "."]]
    assert not any("Authorization" in headers for headers in container.headers), "it could be overheard"


def test_a_file_goes_into_a_folder_that_is_there(kubectl, container, local):
    (container.folder / "into").mkdir()
    (local / "a.txt").write_text("hello")
    assert kubectl("cp", "a.txt", "p:into", "--no-preserve") == 0
    assert tree(container.folder) == {"into": None, "into/a.txt": "hello"}
    assert container.commands[1][:3] == ["tar", "--no-same-permissions", "--no-same-owner"]


def test_a_folder_goes_in_with_all_that_is_in_it(kubectl, container, local):
    (local / "d" / "empty").mkdir(parents=True)
    (local / "d" / "x").write_text("x" * 100_000)
    (local / "d" / "link").symlink_to("x")
    assert kubectl("cp", "d", "ns/p:new") == 0
    assert tree(container.folder) == {"new": None, "new/empty": None, "new/x": "x" * 100_000}
    assert os.readlink(container.folder / "new" / "link") == "x"


def test_a_file_comes_out(kubectl, container, local):
    (container.folder / "a.txt").write_text("hello")
    assert kubectl("cp", "p:a.txt", "b.txt") == 0
    assert tree(local) == {"b.txt": "hello"}
    assert container.commands == [["tar", "cf", "-", "a.txt"]]


def test_a_folder_comes_out_without_its_links(kubectl, container, local, capsys):
    (container.folder / "d" / "in").mkdir(parents=True)
    (container.folder / "d" / "in" / "x").write_text("x" * 200_000)
    (container.folder / "d" / "link").symlink_to("/etc/passwd")
    assert kubectl("-n", "ns", "cp", "p:d", "copy") == 0
    assert tree(local) == {"copy": None, "copy/in": None, "copy/in/x": "x" * 200_000}
    assert capsys.readouterr().err == (
        'warning: skipping symlink: "copy/link" -> "/etc/passwd" (consider using "kubectl exec -n "ns" "p" -- '
        'tar cf - "d" | tar xf -")\n'
    )


def test_what_fails_there_fails_here(kubectl, local, capfd):
    assert kubectl("cp", "p:none", "x") == 2
    shown = capfd.readouterr().err
    assert "none: Cannot stat: No such file or directory" in shown
    assert shown.endswith("command terminated with exit code 2\n")


REFUSED = {
    "source and destination are required": ("a",),
    "one of src or dest must be a local file specification": ("p:a", "p:b"),
    "one of src or dest must be a remote file specification": ("a", "b"),
    "filepath can not be empty": ("a", "p:"),
    "filespec must match the canonical format: [[namespace/]pod:]file/path": ("a/b/c:d", "e"),
    "gone doesn't exist in local filesystem": ("gone", "p:x"),
}


@pytest.mark.parametrize(("text", "words"), REFUSED.items(), ids=REFUSED)
def test_what_names_no_two_places_is_refused(kubectl, local, capsys, text, words):
    assert kubectl("cp", *words) == 1
    assert capsys.readouterr().err == f"error: {text}\n"


def test_a_pod_that_is_over_is_not_entered(kubectl, container, local, capsys):
    container.phase = "Succeeded"
    assert kubectl("cp", "p:a", "b") == 1
    assert capsys.readouterr().err == (
        "error: cannot exec into a container in a completed pod; current phase is Succeeded\n"
    )


@pytest.mark.parametrize(
    ("path", "prefix"),
    {"/a/b/": "a/b", "a/../b": "b", "../../a": "a", ".": "", "/": "", "..": "", "a/./b": "a/b"}.items(),
)
def test_names_in_an_archive_begin_with_the_path(path, prefix):
    assert cp.prefix_of(path) == prefix


def archive(*names):
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as file:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 1
            file.addfile(member, io.BytesIO(b"x"))
    written.seek(0)
    return written


def test_nothing_is_written_outside_of_the_destination(local):
    warnings = []
    cp.unpack(archive("d/ok", "d/../../evil"), "d", str(local / "to"), warn=warnings.append)
    assert tree(local) == {"to": None, "to/ok": "x"}
    assert warnings == [f'warning: file "{local.parent}/evil" is outside target destination, skipping']


def test_an_archive_of_something_else_is_refused(local):
    with pytest.raises(tarfile.TarError, match="tar contents corrupted"):
        cp.unpack(archive("other/x"), "d", str(local), warn=print)


def test_exec_tells_how_the_command_ended(kubectl, container, capfd):
    (container.folder / "f").write_text("text")
    assert kubectl("exec", "p", "--", "cat", "f") == 0
    assert kubectl("exec", "p", "--", "sh", "-c", "exit 3") == 3
    shown = capfd.readouterr()
    assert shown.out == "text"
    assert shown.err == "command terminated with exit code 3\n"
