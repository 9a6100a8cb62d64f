"""Flags for the programs of a cluster: `--extra-config=apiserver.audit-log-path=/var/log/audit.log`.

They have the names of kube-apiserver's flags. The profile keeps them, so a later start uses them again; an empty value
takes one back. What cannot work is refused here, before anything is started.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mamekube.cluster.failures import USAGE, Failure

POLICY, LOG = "apiserver.audit-policy-file", "apiserver.audit-log-path"
EXAMPLE = f"Write it as {LOG}=FILE"


def _path(text: str) -> str:
    return text if text == "-" else str(Path(text).absolute())


def _number(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("it is no number")
    return int(text)


FLAGS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    POLICY: ("audit_policy_file", _path),
    LOG: ("audit_log_file", _path),
    "apiserver.audit-log-maxsize": ("audit_log_megabytes_max", _number),
    "apiserver.audit-log-maxage": ("audit_log_days_max", _number),
    "apiserver.audit-log-maxbackup": ("audit_log_backups_max", _number),
    "apiserver.v": ("verbosity", _number),
}
"""Flag -> the field of the server's configuration that it sets, and how its text is read."""


def merge(known: Mapping[str, str], texts: list[str]) -> dict[str, str]:
    """What the profile keeps, with what the command says. Raises Failure."""
    flags = dict(known)
    for text in texts:
        name, assigned, value = text.partition("=")
        if not assigned or name not in FLAGS:
            raise Failure(
                USAGE,
                f'"{text}" is not a flag that can be set',
                advice=f"{EXAMPLE}; known are {', '.join(sorted(FLAGS))}",
            )
        try:
            flags[name] = str(FLAGS[name][1](value)) if value else ""
        except ValueError as error:
            raise Failure(USAGE, f'"{text}" cannot be used: {error}', advice=EXAMPLE) from None
        if not value:
            del flags[name]
    _check_audit(flags)
    return flags


def _check_audit(flags: Mapping[str, str]) -> None:
    """A policy alone would note nothing, and neither would a file alone."""
    if (POLICY in flags) != (LOG in flags):
        there, missing = (POLICY, LOG) if POLICY in flags else (LOG, POLICY)
        raise Failure(USAGE, f"{there} does nothing without {missing}")
    if POLICY not in flags:
        return
    from mamekube.apiserver.auditing.audit_policy import InvalidPolicy, read_policy

    try:
        read_policy(flags[POLICY])
    except InvalidPolicy as error:
        raise Failure(USAGE, f"The audit policy {flags[POLICY]} is not valid: {error}") from None
    except OSError as error:
        raise Failure(USAGE, f"The audit policy {flags[POLICY]} cannot be read: {error.strerror}") from None


def settings(flags: Mapping[str, str]) -> dict[str, Any]:
    """Fields of the server's configuration and their values."""
    return {FLAGS[name][0]: FLAGS[name][1](value) for name, value in flags.items() if name in FLAGS}
