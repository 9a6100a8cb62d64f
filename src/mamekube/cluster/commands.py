"""What each command does, one function each: from parsed arguments to an exit code.

Imports that take long are inside the functions that need them.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

from mamekube.cluster import output, profiles
from mamekube.cluster.failures import (
    GUEST_NOT_RUNNING,
    SERVICE_NOT_FOUND,
    SERVICE_UNAVAILABLE,
    USAGE,
    Failure,
)
from mamekube.cluster.profiles import KUBERNETES_VERSION, Node, Profile

VERSION = "v0.1.0"


def start(arguments: Namespace) -> int:
    from mamekube.cluster import clusters

    if arguments.verbose:
        os.environ["MAMEKUBE_VERBOSE"] = "1"
    profiles.check_name(arguments.profile)
    _check_kubernetes_version(arguments.kubernetes_version)
    output.step("start", f"[{arguments.profile}] Mamekube {VERSION}")
    request = clusters.Request(
        name=arguments.profile,
        nodes=arguments.nodes,
        registry_mirrors=_mirrors(arguments.registry_mirror),
        extra_config=arguments.extra_config,
        keep_context=arguments.keep_context,
        wait_timeout_s=arguments.wait_timeout,
    )
    clusters.start(request, output.step)
    output.step(
        "ready",
        f'Done! kubectl is now configured to use "{arguments.profile}" cluster and "default" namespace by default',
    )
    return 0


def _check_kubernetes_version(version: str) -> None:
    wanted = version.removeprefix("v")
    if wanted in ("stable", "latest") or wanted == "1.36" or wanted.startswith("1.36."):
        return
    raise Failure(
        USAGE,
        f"Kubernetes {version} is not supported: this is Kubernetes {KUBERNETES_VERSION}",
        advice="Leave --kubernetes-version out",
    )


def _mirrors(texts: list[str]) -> dict[str, str]:
    mirrors = {}
    for text in texts:
        registry, _, url = text.partition("=")
        if not registry or not url.startswith(("http://", "https://")):
            raise Failure(
                USAGE,
                f'"{text}" is not a registry mirror',
                advice="Write it as docker.io=http://HOST:PORT",
            )
        mirrors[registry] = url.rstrip("/")
    return mirrors


def stop(arguments: Namespace) -> int:
    from mamekube.cluster import clusters

    output.step("stop", f'Stopping "{arguments.profile}" cluster')
    count = clusters.stop(arguments.profile)
    output.step("off", f"{count} node{'s' if count != 1 else ''} stopped.")
    return 0


def delete(arguments: Namespace) -> int:
    from mamekube.cluster import clusters

    names = profiles.names() if arguments.all else [arguments.profile]
    for name in names:
        if name in profiles.names():
            output.step("delete", f'Deleting "{name}" cluster')
        else:
            output.step("hint", f'"{name}" profile does not exist, trying anyways.')
        clusters.delete(name)
        output.step("gone", f'Removed all traces of the "{name}" cluster.')
    if arguments.all:
        output.step("gone", "Successfully deleted all profiles")
    return 0


def status(arguments: Namespace) -> int:
    from mamekube.cluster import clusters

    found = clusters.status(profiles.load(arguments.profile))
    if arguments.output == "json":
        records = [
            {
                "Name": item.name,
                "Host": item.host,
                "Kubelet": item.kubelet,
                "APIServer": item.apiserver,
                "Kubeconfig": item.kubeconfig,
                "Worker": item.worker,
            }
            for item in found
        ]
        output.as_json(records[0] if len(records) == 1 else records)
    else:
        for item in found:
            print(item.name, f"type: {'Worker' if item.worker else 'Control Plane'}", sep="\n")
            print(f"host: {item.host}\nkubelet: {item.kubelet}")
            if not item.worker:
                print(f"apiserver: {item.apiserver}\nkubeconfig: {item.kubeconfig}")
            print()
    code = 0
    for item in found:
        code |= item.code
    return code


def ip(arguments: Namespace) -> int:
    profile = profiles.load(arguments.profile)
    node = profile.find_node(arguments.node)
    _running(profile, node)
    print(profile.address(node))
    return 0


def ssh(arguments: Namespace) -> int:
    """Replace this process by a shell, or by a command of a shell, inside the node."""
    from mamekube.cluster import containerd, namespaces, tools

    tools.require_root()
    profile = profiles.load(arguments.profile)
    node = profile.find_node(arguments.node)
    enter = namespaces.enter_command(_running(profile, node))
    environment = {
        **containerd.ENVIRONMENT,
        "PATH": tools.SYSTEM_PATH,
        "HOME": os.environ.get("HOME", "/root"),
        "TERM": os.environ.get("TERM", "dumb"),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "HOSTNAME": node.name,
        "PS1": rf"root@{node.name}:\w# ",
    }
    if arguments.rest:
        shell = ["/bin/sh", "-c", " ".join(arguments.rest)]
    else:
        shell = ["/bin/bash", "--norc", "-i"] if Path("/bin/bash").exists() else ["/bin/sh", "-i"]
    sys.stdout.flush()
    os.execve(tools.find(enter[0]), [*enter, "--", *shell], environment)


def _running(profile: Profile, node: Node) -> int:
    from mamekube.cluster import node as nodes

    pid = nodes.pid(profile, node)
    if not pid:
        raise Failure(
            GUEST_NOT_RUNNING,
            f"The node {node.name} is not running: state=Stopped",
            advice=f'To start the cluster, run: "{profiles.start_command(profile.name)}"',
        )
    return pid


def kubectl(profile: str, arguments: list[str]) -> int:
    if arguments and not {"help", "--help", "-h"}.intersection(arguments[:2]):
        profiles.load(profile)

    from mamekube.kubectl.main import main

    named = any(word == "--context" or word.startswith(("--context=", "--kubeconfig")) for word in arguments)
    return main(arguments if named else ["--context", profile, *arguments])


def service(arguments: Namespace) -> int:
    """The URLs of a service's node ports, as minikube prints them."""
    from mamekube.cluster.api import connect

    profile = profiles.load(arguments.profile)
    found = connect(profile).get(f"/api/v1/namespaces/{arguments.namespace}/services/{arguments.name}")
    if found is None:
        raise Failure(
            SERVICE_NOT_FOUND,
            f"Service '{arguments.name}' was not found in '{arguments.namespace}' namespace",
            advice=f"You may select another namespace by using 'mamekube service {arguments.name} -n <namespace>'",
        )
    address = profile.address(profile.nodes[0])
    ports = [port for port in found["spec"].get("ports") or [] if port.get("nodePort")]
    if not ports:
        raise Failure(
            SERVICE_UNAVAILABLE,
            f"service {arguments.namespace}/{arguments.name} has no node port",
            advice="Expose it with --type=NodePort",
        )
    urls = [f"http://{address}:{port['nodePort']}" for port in ports]
    if not arguments.url:
        targets = "\n".join(f"{port.get('name', '')}/{port['port']}".lstrip("/") for port in ports)
        rows = [
            [arguments.namespace, arguments.name, target, url]
            for target, url in zip(targets.splitlines(), urls, strict=True)
        ]
        output.table(["NAMESPACE", "NAME", "TARGET PORT", "URL"], rows)
    else:
        print("\n".join(urls))
    return 0


def logs(arguments: Namespace) -> int:
    profile = profiles.load(arguments.profile)
    files = [profile.folder / "server.log"]
    for node in profile.nodes:
        files += [profile.node_folder(node) / f"{name}.log" for name in ("init", "containerd", "node")]
    present = [file for file in files if file.exists()]
    if arguments.follow:
        command = ["tail", f"-n{arguments.length}", "-F", *map(str, present)]
        sys.stdout.flush()
        os.execvp("tail", command)
    for file in present:
        lines = file.read_text(errors="replace").splitlines()[-arguments.length :]
        print(f"==> {file.relative_to(profile.folder)} <==", *lines, sep="\n")
    return 0


def version(arguments: Namespace) -> int:
    if arguments.output == "json":
        output.as_json({"mamekubeVersion": VERSION, "kubernetesVersion": KUBERNETES_VERSION})
    elif arguments.short:
        print(VERSION)
    else:
        print(f"mamekube version: {VERSION}\nkubernetes version: {KUBERNETES_VERSION}")
    return 0


def image_load(arguments: Namespace) -> int:
    from mamekube.cluster import image_store

    profile = profiles.load(arguments.profile)
    for image in arguments.images:
        for name in image_store.load(_running_nodes(profile), image):
            output.step("image", f"Loaded {name}")
    return 0


def image_ls(arguments: Namespace) -> int:
    from mamekube.cluster import image_store

    found = image_store.listing(_running_nodes(profiles.load(arguments.profile)))
    if arguments.output == "json":
        output.as_json([asdict(image) for image in found])
    elif arguments.output == "table":
        rows = [[*image.name_and_tag, image.id[:13], image.size] for image in found]
        output.table(["Image", "Tag", "Image ID", "Size"], rows)
    else:
        for image in found:
            print(image.name)
    return 0


def image_rm(arguments: Namespace) -> int:
    from mamekube.cluster import image_store

    image_store.remove(_running_nodes(profiles.load(arguments.profile)), arguments.images)
    return 0


def image_build(arguments: Namespace) -> int:
    from mamekube.cluster import image_build as building

    profile = profiles.load(arguments.profile)
    order = building.Order(
        tag=arguments.tag,
        folder=Path(arguments.folder),
        file=arguments.file,
        build_arguments=arguments.build_arg,
    )
    building.build(profile, _running_nodes(profile), order)
    return 0


def _running_nodes(profile: Profile) -> list[int]:
    """The PIDs of every node's process 1; images go to all of them."""
    from mamekube.cluster import tools

    tools.require_root()
    return [_running(profile, node) for node in profile.nodes if not node.fake]


def profile_list(arguments: Namespace) -> int:
    from mamekube.cluster import clusters

    rows = []
    for name in profiles.names():
        try:
            profile = profiles.load(name)
        except Failure:
            rows.append([name, "", "", "", "Unknown", "0"])
            continue
        state = clusters.status(profile)[0]
        shown = "Running" if state.host == state.apiserver == "Running" else "Stopped"
        address = profile.address(profile.nodes[0])
        rows.append(
            [
                name,
                address,
                str(profiles.API_PORT),
                profile.kubernetes_version,
                shown,
                str(len(profile.nodes)),
            ]
        )
    headings = ["Profile", "IP", "Port", "Version", "Status", "Nodes"]
    if arguments.output == "json":
        valid = [dict(zip(["Name", *headings[1:]], row, strict=True)) for row in rows if row[1]]
        output.as_json({"invalid": [{"Name": row[0]} for row in rows if not row[1]], "valid": valid})
    elif rows:
        output.table(headings, rows)
    else:
        output.failure('No profile found. To start a cluster, run: "mamekube start"')
    return 0


def node_add(arguments: Namespace) -> int:
    from mamekube.cluster import clusters

    added = clusters.add_node(arguments.profile, fake=arguments.fake, report=output.step)
    output.step("ready", f"Successfully added {added.name} to {arguments.profile}!")
    return 0


def node_list(arguments: Namespace) -> int:
    profile = profiles.load(arguments.profile)
    for node in profile.nodes:
        print(f"{node.name}\t{profile.address(node)}")
    return 0


def node_delete(arguments: Namespace) -> int:
    from mamekube.cluster import clusters

    output.step("delete", f"Deleting node {arguments.name} from cluster {arguments.profile}")
    clusters.delete_node(arguments.profile, arguments.name)
    output.step("gone", f"Node {arguments.name} was successfully deleted.")
    return 0
