"""kubectl taint: `KEY=VALUE:EFFECT` keeps pods off a node, `KEY:EFFECT-` and `KEY-` let them on again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mamekube.kubectl.commands.writing import WRITE_FLAGS, dry_run, patch, report
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import Target
from mamekube.objects import names
from mamekube.objects.meta import Object, name_of

MANAGER = "kubectl-taint"
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
FLAGS = (*WRITE_FLAGS, Flag("all", "bool"), Flag("overwrite", "bool"), Flag("selector", short="l"))
HINT = "See 'kubectl taint -h' for help and examples"


@dataclass(frozen=True, slots=True)
class Taint:
    """A taint as the command line says it; without effect it stands for all of its key."""

    key: str
    value: str = ""
    effect: str = ""

    def matches(self, other: Object) -> bool:
        return self.key == other["key"] and self.effect in ("", other.get("effect", ""))

    def as_object(self) -> Object:
        fields = {"key": self.key, "value": self.value, "effect": self.effect}
        return {name: text for name, text in fields.items() if text}

    def __str__(self) -> str:
        value = f"={self.value}" if self.value else ""
        return f"{self.key}{value}:{self.effect}" if self.effect else self.key


def run(session: Session) -> int:
    resources, specs = _sorted_words(session.words)
    if not resources:
        raise Failure("error: one or more resources must be specified as <resource> <name>")
    if not specs:
        raise Failure("error: at least one taint update is required")
    try:
        added, removed = parse(specs)
    except ValueError as error:
        raise Failure(f"error: {error}\n{HINT}") from None
    targets = _targets(session, resources, added, removed)
    problems = []
    for target, node in targets:
        try:
            _taint(session, target, node, added, removed)
        except Failure as failure:
            problems.append(failure)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise Failure("\n".join(problem.text.removeprefix("error: ") for problem in problems))
    return 0


def _sorted_words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    resources: list[str] = []
    specs: list[str] = []
    for word in words:
        if "=" in word or ":" in word or word.endswith("-"):
            specs.append(word)
        elif specs:
            raise Failure(f"error: all resources must be specified before taint changes: {word}")
        else:
            resources.append(word)
    return resources, specs


def parse(specs: Sequence[str]) -> tuple[list[Taint], list[Taint]]:
    """The taints to add and to remove. Raises ValueError with upstream's words."""
    added: list[Taint] = []
    removed: list[Taint] = []
    for spec in specs:
        taint = _parse_one(spec.removesuffix("-"))
        if spec.endswith("-"):
            removed.append(Taint(taint.key, effect=taint.effect))
            continue
        if not taint.effect:
            raise ValueError(f"invalid taint spec: {spec}")
        if any((other.key, other.effect) == (taint.key, taint.effect) for other in added):
            shown = f"{{{taint.key} {taint.value} {taint.effect} <nil>}}"
            raise ValueError(f"duplicated taints with the same key and effect: {shown}")
        added.append(taint)
    return added, removed


def _parse_one(spec: str) -> Taint:
    front, *effects = spec.split(":")
    if len(effects) > 1:
        raise ValueError(f"invalid taint spec: {spec}")
    key, value = front, ""
    if effects:
        if effects[0] not in EFFECTS:
            raise ValueError(f"invalid taint effect: {effects[0]}, unsupported taint effect")
        key, *values = front.split("=")
        if len(values) > 1:
            raise ValueError(f"invalid taint spec: {spec}")
        value = values[0] if values else ""
        if problems := names.label_value(value):
            raise ValueError(f"invalid taint spec: {spec}, {'; '.join(problems)}")
    if problems := names.qualified_name(key):
        raise ValueError(f"invalid taint spec: {spec}, {'; '.join(problems)}")
    return Taint(key, value, effects[0] if effects else "")


def _targets(
    session: Session, resources: Sequence[str], added: Sequence[Taint], removed: Sequence[Taint]
) -> list[tuple[Target, Object]]:
    kind, *node_names = resources
    try:
        found = session.discovery.find(kind)
    except Failure as failure:
        raise Failure(failure.text.removeprefix("error: ")) from None
    if found.resource.kind != "Node":
        raise Failure(f"error: invalid resource type {kind.lower()}, only node types are supported")
    both = [
        f"{taint.key}={taint.effect}"
        for one in added
        for taint in removed
        if one.key == taint.key and taint.effect in ("", one.effect)
    ]
    if both:
        raise Failure(
            "error: can not both modify and remove the following taint(s) in the same command: "
            + ", ".join(both)
        )
    selector = session.flag("selector")
    if session.flag("all") and selector:
        raise Failure("error: setting 'all' parameter with a non empty selector is prohibited")
    if session.flag("all") or selector:
        listed = session.api.get(Target(found, "").path, query={"labelSelector": selector})
        return [(Target(found, "", name_of(node)), node) for node in listed["items"]]
    if not node_names:
        raise Failure("error: at least one resource name must be specified since 'all' parameter is not set")
    return [
        (target, session.api.get(target.path)) for target in (Target(found, "", name) for name in node_names)
    ]


def _taint(
    session: Session, target: Target, node: Object, added: Sequence[Taint], removed: Sequence[Taint]
) -> None:
    before = (node.get("spec") or {}).get("taints") or []
    if not session.flag("overwrite"):
        taken = [taint.key for taint in added for old in before if taint.matches(old)]
        if taken:
            raise Failure(
                f"error: node {target.name} already has {','.join(taken)} taint(s) with same effect(s) and "
                "--overwrite is false"
            )
    kept = [old for old in before if not any(taint.matches(old) for taint in added)]
    after = [*(taint.as_object() for taint in added), *kept]
    # Whether anything was added is seen by the number alone.
    grew, deleted = len(after) != len(before), False
    for taint in removed:
        left = [one for one in after if not taint.matches(one)]
        deleted = len(left) != len(after)
        if not deleted:
            raise Failure(f'error: taint "{taint}" not found')
        after = left
    done = (
        "modified" if session.flag("overwrite") or (grew and deleted) else "tainted" if grew else "untainted"
    )
    if dry_run(session) == "client":
        spec = {name: value for name, value in (node.get("spec") or {}).items() if name != "taints"}
        outcome = {**node, "spec": {**spec, **({"taints": after} if after else {})}}
    else:
        outcome = patch(session, target, {"spec": {"taints": after or None}}, manager=MANAGER, kind="merge")
    report(session, target, outcome, done, marks_dry_run=False)
