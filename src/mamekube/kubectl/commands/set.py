"""kubectl set image: other images for named containers of pod templates."""

from __future__ import annotations

from typing import Any

from mamekube.kubectl.commands.writing import WRITE_FLAGS, dry_run, patch, report
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import SELECTION_FLAGS, Target, resolve_named
from mamekube.objects.meta import Object

FLAGS = (*SELECTION_FLAGS, *(flag for flag in WRITE_FLAGS if flag.name != "validate"))


def run(session: Session) -> int:
    if not session.words or session.words[0] != "image":
        raise Failure("error: only `kubectl set image` is known\nSee 'kubectl set -h' for help and examples")
    pairs = [word for word in session.words[1:] if "=" in word]
    resources = [word for word in session.words[1:] if "=" not in word]
    images = dict(pair.split("=", 1) for pair in pairs)
    if not images:
        raise Failure("error: at least one image update is required")
    failed = False
    for target in resolve_named(session, resources, usage="error: one or more resources must be specified as "
                                "<resource> <name> or <resource>/<name>"):  # fmt: skip
        try:
            _set_images(session, target, images)
        except Failure as failure:
            session.warn(failure.text)
            failed = True
    return 1 if failed else 0


def _set_images(session: Session, target: Target, images: dict[str, str]) -> None:
    live = session.api.get(target.path)
    pod_spec, wrap = _pod_spec(live)
    changes: dict[str, list[dict[str, str]]] = {}
    for name, image in images.items():
        places = [
            (field, container)
            for field in ("containers", "initContainers")
            for container in pod_spec.get(field) or ()
            if name in ("*", container["name"])
        ]
        if not places:
            raise Failure(f'error: unable to find container named "{name}"')
        for field, container in places:
            if container["image"] != image:
                changes.setdefault(field, []).append({"name": container["name"], "image": image})
    if not changes:
        return
    if dry_run(session) != "client":
        orders = {
            f"$setElementOrder/{field}": [{"name": container["name"]} for container in pod_spec[field]]
            for field in changes
        }
        live = patch(session, target, wrap({**orders, **changes}), manager="kubectl-set")
    report(session, target, live, "image updated")


def _pod_spec(live: Object) -> tuple[dict[str, Any], Any]:
    """The pod spec in an object, and a function that wraps a patch of it into one of the object."""
    spec = live.get("spec") or {}
    if "jobTemplate" in spec:
        template = spec["jobTemplate"]["spec"]["template"]
        return template["spec"], lambda part: {
            "spec": {"jobTemplate": {"spec": {"template": {"spec": part}}}}
        }
    if "template" in spec:
        return spec["template"]["spec"], lambda part: {"spec": {"template": {"spec": part}}}
    return spec, lambda part: {"spec": part}
