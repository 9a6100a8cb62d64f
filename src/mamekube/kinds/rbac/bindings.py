"""What RoleBinding and ClusterRoleBinding share: subjects, the role they are given, and their table."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column
from mamekube.objects.meta import Object

GROUP = "rbac.authorization.k8s.io"


def columns(kind: str) -> tuple[Column, ...]:
    return (
        cells.NAME,
        Column(name="Role"),
        cells.AGE,
        *(
            Column(name=name, description=f"{name} in the {kind}", priority=1)
            for name in ("Users", "Groups", "ServiceAccounts")
        ),
    )


def default(binding: Object) -> None:
    role = binding.get("roleRef")
    if role is not None and not role.get("apiGroup"):
        role["apiGroup"] = GROUP
    for subject in binding.get("subjects") or ():
        if subject.get("kind") in ("User", "Group") and not subject.get("apiGroup"):
            subject["apiGroup"] = GROUP


def row(binding: Object, now_s: float) -> list[Any]:
    role = binding.get("roleRef") or {}
    subjects = binding.get("subjects") or ()
    return [
        cells.name(binding),
        f"{role.get('kind') or ''}/{role.get('name') or ''}",
        cells.age(binding, now_s),
        *(
            ", ".join(_subject_text(subject) for subject in subjects if subject.get("kind") == kind)
            for kind in ("User", "Group", "ServiceAccount")
        ),
    ]


def _subject_text(subject: dict[str, Any]) -> str:
    name = subject.get("name") or ""
    if subject.get("kind") != "ServiceAccount":
        return name
    return f"{subject['namespace']}/{name}" if subject.get("namespace") else f"/{name}"
