"""`--extra-config`: which flags there are, what is kept of them, and what is refused before anything starts."""

from __future__ import annotations

import pytest

from mamekube.apiserver.server import ApiServerConfig
from mamekube.cluster import flags
from mamekube.cluster.failures import USAGE, Failure

POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n"


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


def test_flags_become_settings_of_the_server(policy, tmp_path):
    kept = flags.merge(
        {},
        [
            f"apiserver.audit-policy-file={policy}",
            f"apiserver.audit-log-path={tmp_path / 'audit.log'}",
            "apiserver.audit-log-maxsize=10",
            "apiserver.audit-log-maxage=7",
            "apiserver.audit-log-maxbackup=3",
            "apiserver.v=4",
        ],
    )
    config = ApiServerConfig(**flags.settings(kept))
    assert (config.audit_policy_file, config.audit_log_file) == (str(policy), str(tmp_path / "audit.log"))
    limits = (config.audit_log_megabytes_max, config.audit_log_days_max, config.audit_log_backups_max)
    assert (*limits, config.verbosity) == (10, 7, 3, 4)


def test_every_flag_is_a_setting():
    assert {field for field, _ in flags.FLAGS.values()} <= set(ApiServerConfig.__dataclass_fields__)


def test_paths_are_kept_as_the_server_will_find_them(policy, monkeypatch):
    monkeypatch.chdir(policy.parent)
    kept = flags.merge({}, ["apiserver.audit-policy-file=policy.yaml", "apiserver.audit-log-path=-"])
    assert kept == {"apiserver.audit-policy-file": str(policy), "apiserver.audit-log-path": "-"}


def test_a_later_start_adds_and_takes_back():
    known = {"apiserver.v": "4", "apiserver.audit-log-maxage": "7"}
    assert flags.merge(known, ["apiserver.v=", "apiserver.audit-log-maxage=8"]) == {
        "apiserver.audit-log-maxage": "8"
    }
    assert flags.merge(known, []) == known


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("apiserver.audit-policy-file", "is not a flag that can be set"),
        ("kubelet.max-pods=3", "is not a flag that can be set"),
        ("apiserver.v=loud", "it is no number"),
        ("apiserver.audit-log-path=/tmp/x", "does nothing without apiserver.audit-policy-file"),
        ("apiserver.audit-policy-file=/tmp/x", "does nothing without apiserver.audit-log-path"),
    ],
)
def test_what_cannot_work_is_refused(text, why):
    with pytest.raises(Failure, match=why) as caught:
        flags.merge({}, [text])
    assert caught.value.code == USAGE


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read: No such file or directory"),
        ("rules: [", "is not valid: "),
        (POLICY.replace("Metadata", "All"), r'rules\[0\].level: Unsupported value: "All"'),
    ],
)
def test_a_policy_that_is_none_is_refused_before_the_start(tmp_path, content, why):
    path = tmp_path / "policy.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(Failure, match=why):
        flags.merge({}, [f"apiserver.audit-policy-file={path}", "apiserver.audit-log-path=-"])
