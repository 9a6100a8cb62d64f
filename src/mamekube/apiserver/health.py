"""`/livez`, `/readyz` and `/healthz`: named checks, alone or together, in upstream's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mamekube.apiserver.documents import Text
from mamekube.apiserver.request import Request

Check = Callable[[], bool]
PATHS = ("/healthz", "/livez", "/readyz")


class Health:
    """Checks by name, in the order in which they are listed. A check answers at once."""

    def __init__(self) -> None:
        self._checks: dict[str, dict[str, Check]] = {path: {} for path in PATHS}

    def add(self, name: str, check: Check, *, paths: tuple[str, ...] = PATHS) -> None:
        for path in paths:
            self._checks[path][name] = check

    def serve(self, request: Request) -> Text | None:
        """None where the path is no health path, or names a check that does not exist."""
        root = next(
            (path for path in PATHS if request.path == path or request.path.startswith(f"{path}/")), None
        )
        if root is None:
            return None
        checks = self._checks[root]
        name = request.path[len(root) + 1 :]
        if name:
            return _alone(name, checks[name]) if name in checks else None
        return _together(root.strip("/"), checks, request)


def _alone(name: str, check: Check) -> Text:
    if check():
        return Text(b"ok")
    return Text(f"internal server error: {name} failed\n".encode(), code=500)


def _together(title: str, checks: Mapping[str, Check], request: Request) -> Text:
    excluded = set(request.query.get("exclude", ()))
    lines, failed = [], False
    for name, check in checks.items():
        if name in excluded:
            lines.append(f"[+]{name} excluded: ok")
        elif check():
            lines.append(f"[+]{name} ok")
        else:
            lines.append(f"[-]{name} failed: reason withheld")
            failed = True
    unknown = sorted(excluded - checks.keys())
    if unknown:
        lines.append(
            "warn: some health checks cannot be excluded: no matches for "
            + ",".join(f'"{name}"' for name in unknown)
        )
    if failed:
        return Text("\n".join([*lines, f"{title} check failed", ""]).encode(), code=500)
    if "verbose" in request.query:
        return Text("\n".join([*lines, f"{title} check passed", ""]).encode())
    return Text(b"ok")
