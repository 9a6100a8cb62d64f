"""What RoleBinding and ClusterRoleBinding share: subjects, the role they are given, and their table."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check
from mamekube.kinds.kind import Column
from mamekube.objects import names
from mamekube.objects.fielderrors import Struct, invalid, not_supported, required
from mamekube.objects.meta import Object

GROUP = "rbac.authorization.k8s.io"


def columns(kind: str) -> tuple[Column, ...]:
    return (
        cells.NAME,
        Column(name="Role", field=f"rbac.v1.{kind[0].upper()}{kind[1:]}.roleRef"),
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


def validate_role_binding(binding: Object) -> Found:
    return _validate(binding, ("Role", "ClusterRole"))


def validate_cluster_role_binding(binding: Object) -> Found:
    return _validate(binding, ("ClusterRole",))


def _validate(binding: Object, role_kinds: tuple[str, ...]) -> Found:
    found: Found = []
    role = binding.get("roleRef") or {}
    if role.get("apiGroup") != GROUP:
        found.append(not_supported("roleRef.apiGroup", role.get("apiGroup") or "", (GROUP,)))
    if role.get("kind") not in role_kinds:
        found.append(not_supported("roleRef.kind", role.get("kind") or "", role_kinds))
    if not role.get("name"):
        found.append(required("roleRef.name"))
    else:
        check(role["name"], "roleRef.name", names.path_segment, found)
    for index, subject in enumerate(binding.get("subjects") or ()):
        namespaced = role_kinds[0] == "Role"
        _validate_subject(subject, f"subjects[{index}]", found, namespaced=namespaced)
    return found


def _validate_subject(subject: dict[str, Any], path: str, found: Found, *, namespaced: bool) -> None:
    kind, group, name = subject.get("kind"), subject.get("apiGroup") or "", subject.get("name")
    if not name:
        found.append(required(f"{path}.name"))
    if kind == "ServiceAccount":
        if name:
            check(name, f"{path}.name", names.dns1123_subdomain, found)
        if group:
            found.append(not_supported(f"{path}.apiGroup", group, ("",)))
        if not subject.get("namespace") and not namespaced:
            found.append(required(f"{path}.namespace"))
    elif kind in ("User", "Group"):
        if group != GROUP:
            found.append(not_supported(f"{path}.apiGroup", group, (GROUP,)))
    else:
        found.append(not_supported(f"{path}.kind", kind or "", ("ServiceAccount", "User", "Group")))


def validate_update(new: Object, old: Object) -> Found:
    role, before = new.get("roleRef") or {}, old.get("roleRef") or {}
    if role == before:
        return []
    shown = Struct(APIGroup=role.get("apiGroup"), Kind=role.get("kind"), Name=role.get("name"))
    return [invalid("roleRef", shown, "cannot change roleRef")]
