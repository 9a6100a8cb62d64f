"""kubectl run: one pod of one image; with -it, its terminal; with --rm, gone afterwards."""

from __future__ import annotations

from mamekube.kubectl.commands.delete import wait_until_gone
from mamekube.kubectl.commands.exec import run_attach
from mamekube.kubectl.commands.rollout import next_state
from mamekube.kubectl.commands.writing import WRITE_FLAGS, create, dry_run, report
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import Target, target_of
from mamekube.objects.meta import Object, uid_of

FLAGS = (
    *WRITE_FLAGS,
    Flag("image"),
    Flag("port"),
    Flag("env", "array"),
    Flag("labels", short="l"),
    Flag("command", "bool"),
    Flag("restart"),
    Flag("image-pull-policy"),
    Flag("stdin", "bool", short="i"),
    Flag("tty", "bool", short="t"),
    Flag("attach", "bool"),
    Flag("rm", "bool"),
    Flag("quiet", "bool", short="q"),
    Flag("grace-period", "int"),
)


def run(session: Session) -> int:
    if not session.flag("image"):
        raise Failure('error: required flag(s) "image" not set')
    if not session.words:
        raise Failure("error: NAME is required for run\nSee 'kubectl run -h' for help and examples")
    restart = session.flag("restart", "Always")
    if restart not in ("Always", "OnFailure", "Never"):
        raise Failure(f"error: invalid restart policy: {restart}")
    attached = bool(session.flag("attach") or session.flag("stdin"))
    if session.flag("rm") and not attached:
        raise Failure("error: --rm should only be used for attached containers")
    manifest = _pod(session, restart)
    target = target_of(session, manifest)
    created = create(session, target, manifest, manager="kubectl-run")
    if not attached or dry_run(session) != "none":
        report(session, target, created, "created")
        return 0
    return _attach(session, target, created)


def _pod(session: Session, restart: str) -> Object:
    name, *words = session.words
    command = [*words, *(session.arguments.after_dashes or [])]
    container: Object = {"name": name, "image": session.flag("image"), "resources": {}}
    if command:
        container["command" if session.flag("command") else "args"] = command
    if session.flag("port"):
        container["ports"] = [{"containerPort": int(session.flag("port"))}]
    pairs = [entry.partition("=") for entry in session.flag("env", [])]
    if pairs:
        container["env"] = [{"name": key, "value": value} for key, _, value in pairs]
    if session.flag("image-pull-policy"):
        container["imagePullPolicy"] = session.flag("image-pull-policy")
    if session.flag("stdin"):
        container |= {"stdin": True, "stdinOnce": True}
    if session.flag("tty"):
        container["tty"] = True
    labels = {"run": name}
    if session.flag("labels"):
        labels = dict(part.split("=", 1) for part in session.flag("labels").split(","))
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": session.namespace, "labels": labels},
        "spec": {"containers": [container], "dnsPolicy": "ClusterFirst", "restartPolicy": restart},
    }


def _attach(session: Session, target: Target, live: Object) -> int:
    while (live.get("status") or {}).get("phase", "Pending") == "Pending":
        live = next_state(session, target, live, None)
    session.arguments.words = [target.name]
    try:
        if not session.flag("quiet"):
            session.warn("If you don't see a command prompt, try pressing enter.")
        code = run_attach(session)
    except Failure:
        # A command that ended before anyone could attach has left its output in the log.
        session.out.write(b"".join(session.api.stream(f"{target.path}/log")).decode(errors="replace"))
        code = 0
    if session.flag("rm"):
        session.api.call("DELETE", target.path, body={})
        session.print(f'pod "{target.name}" deleted from {target.namespace} namespace')
        wait_until_gone(session, target, uid_of(live), None)
    return code
