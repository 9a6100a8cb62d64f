"""kubectl auth can-i: whether something is allowed, or all that is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mamekube.kubectl import tabs
from mamekube.kubectl.discovery import Found
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session

FLAGS = (
    Flag("all-namespaces", "bool", short="A"),
    Flag("list", "bool"),
    Flag("no-headers", "bool"),
    Flag("quiet", "bool", short="q"),
    Flag("subresource"),
)
REVIEWS = "/apis/authorization.k8s.io/v1"
RESOURCE_VERBS = frozenset(
    {
        "get",
        "list",
        "watch",
        "create",
        "update",
        "patch",
        "delete",
        "deletecollection",
        "use",
        "bind",
        "impersonate",
    }
    | {"*", "approve", "sign", "escalate", "attest"}
)
PATH_VERBS = frozenset({"get", "put", "post", "head", "options", "delete", "patch", "*"})
UNLISTED = frozenset({"users", "groups"})
"""What may be impersonated is no resource of any server."""


def run(session: Session) -> int:
    if session.flag("list"):
        return _list(session)
    if len(session.words) != 2:
        raise Failure(
            "error: you must specify two arguments: verb resource or verb resource/resourceName.\n"
            "See 'kubectl auth can-i -h' for help and examples."
        )
    verb, subject = session.words
    attributes = (
        _path(session, verb, subject) if subject.startswith("/") else _resource(session, verb, subject)
    )
    if session.flag("no-headers"):
        raise Failure("error: --no-headers cannot be set without --list specified")
    review = session.api.call(
        "POST", f"{REVIEWS}/selfsubjectaccessreviews", body=_review("Access", attributes)
    )
    status = review.get("status") or {}
    if not session.flag("quiet"):
        reasons = [status[name] for name in ("reason", "evaluationError") if status.get(name)]
        session.print("yes" if status.get("allowed") else " - ".join(["no", *reasons]))
    return 0 if status.get("allowed") else 1


def _review(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "authorization.k8s.io/v1", "kind": f"SelfSubject{kind}Review", "spec": spec}


def _path(session: Session, verb: str, path: str) -> dict[str, Any]:
    if session.flag("subresource"):
        raise Failure("error: --subresource can not be used with NonResourceURL")
    if verb not in PATH_VERBS:
        session.warn(f"Warning: verb '{verb}' is not a known verb\n")
    return {"nonResourceAttributes": {"verb": verb, "path": path}}


def _resource(session: Session, verb: str, subject: str) -> dict[str, Any]:
    word, _, name = subject.partition("/")
    found = _found(session, word)
    if found is not None and not session.flag("all-namespaces") and not found.resource.namespaced:
        group = f" in group '{found.resource.group}'" if found.resource.group else ""
        session.warn(f"Warning: resource '{found.resource.plural}' is not namespace scoped{group}\n")
    if verb not in RESOURCE_VERBS and not session.flag("all-namespaces"):
        session.warn(f"Warning: verb '{verb}' is not a known verb\n")
    attributes = {
        "verb": verb,
        "namespace": "" if session.flag("all-namespaces") else session.namespace,
        "group": found.resource.group if found else "",
        "resource": found.resource.plural if found else word,
        "subresource": session.flag("subresource", ""),
        "name": name,
    }
    return {"resourceAttributes": {field: value for field, value in attributes.items() if value}}


def _found(session: Session, word: str) -> Found | None:
    if word == "*":
        return None
    try:
        return session.discovery.find(word)
    except Failure:
        name, _, group = word.lower().partition(".")
        if word.lower() not in UNLISTED:
            place = f" in group '{group}'" if group else ""
            session.warn(f"Warning: the server doesn't have a resource type '{name}'{place}\n")
        return None


# Lists ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Rule:
    """One verb, or several, on one resource or path."""

    verbs: list[str]
    groups: list[str]
    resources: list[str]
    names: list[str]
    paths: list[str]

    @property
    def key(self) -> str:
        """How upstream sorts: by the text that Go makes of a rule."""
        fields = (self.verbs, self.groups, self.resources, self.names, self.paths)
        return ",".join(f"[{' '.join(field)}]" for field in fields)


def _list(session: Session) -> int:
    if session.words:
        raise Failure("error: list option must be specified with no arguments")
    if session.flag("quiet") or session.flag("all-namespaces") or session.flag("subresource"):
        raise Failure(
            "error: list option can't be specified with neither quiet, all-namespaces nor subresource options"
        )
    body = _review("Rules", {"namespace": session.namespace})
    status = session.api.call("POST", f"{REVIEWS}/selfsubjectrulesreviews", body=body).get("status") or {}
    if status.get("incomplete"):
        session.warn(f"Warning: the list may be incomplete: {status.get('evaluationError', '')}")
    rows = (
        [] if session.flag("no-headers") else [["Resources", "Non-Resource URLs", "Resource Names", "Verbs"]]
    )
    for rule in sorted(compacted(_split(status)), key=lambda rule: rule.key):
        lists = (f"[{' '.join(values)}]" for values in (rule.paths, rule.names, rule.verbs))
        rows.append([_resource_name(rule), *lists])
    session.out.write(tabs.table(rows) if rows else "")
    return 0


def _resource_name(rule: Rule) -> str:
    """`deployments.apps/scale`."""
    if not rule.resources:
        return ""
    resource, slash, subresource = rule.resources[0].partition("/")
    group = f".{rule.groups[0]}" if rule.groups[0] else ""
    return f"{resource}{group}{slash}{subresource}"


def _split(status: dict[str, Any]) -> Iterator[Rule]:
    """A rule for each verb of each resource and path."""
    for rule in status.get("resourceRules") or ():
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                for verb in rule.get("verbs") or ():
                    for name in rule.get("resourceNames") or (None,):
                        yield Rule([verb], [group], [resource], [] if name is None else [name], [])
    for rule in status.get("nonResourceRules") or ():
        for path in rule.get("nonResourceURLs") or ():
            for verb in rule.get("verbs") or ():
                yield Rule([verb], [], [], [], [path])


def compacted(rules: Iterable[Rule]) -> list[Rule]:
    """The verbs of one resource together; paths stay as they are."""
    whole: list[Rule] = []
    known: dict[tuple[str, ...], Rule] = {}
    for rule in rules:
        if rule.paths:
            whole.append(rule)
            continue
        kept = known.setdefault((*rule.groups, *rule.resources, *rule.names), rule)
        kept.verbs += [verb for verb in rule.verbs if verb not in kept.verbs]
    return [*whole, *known.values()]
