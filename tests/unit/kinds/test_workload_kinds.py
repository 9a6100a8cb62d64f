"""Deployments and their like, Jobs and CronJobs: defaults, refusals, updates."""

import copy
from typing import Any

import pytest

from mamekube.kinds.apps import daemonsets, deployments, replicasets, statefulsets
from mamekube.kinds.batch import cronjobs, jobs
from mamekube.kinds.core import replicationcontrollers
from mamekube.kinds.kind import Kind

MISMATCH = '{"app":"x"}: `selector` does not match template `labels`'


def template(labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    containers = [{"name": "c", "image": "nginx:1"}]
    return {"metadata": {"labels": labels or {"app": "x"}}, "spec": {"containers": containers, **spec}}


def workload(kind: Kind, **spec: Any) -> dict[str, Any]:
    obj = {
        "metadata": {"name": "w", "uid": "u-1", "generation": 1},
        "spec": {"selector": {"matchLabels": {"app": "x"}}, "template": template(), **spec},
    }
    kind.default(obj)
    return obj


def errors_of(kind: Kind, obj: dict[str, Any]) -> list[str]:
    return [str(error) for error in (*kind.validate(obj), *kind.validate_create(obj))]


def test_a_deployment_gets_what_upstream_gives_it() -> None:
    spec = workload(deployments.KIND)["spec"]
    del spec["selector"], spec["template"]
    assert spec == {
        "replicas": 1,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
    }


def test_a_recreating_deployment_gets_no_rolling_update() -> None:
    assert workload(deployments.KIND, strategy={"type": "Recreate"})["spec"]["strategy"] == {
        "type": "Recreate"
    }


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"replicas": -1}, ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"]),
        (
            {"selector": {"matchLabels": {"app": "y"}}},
            [f"spec.template.metadata.labels: Invalid value: {MISMATCH}"],
        ),
        (
            {"selector": None},
            ["spec.selector: Required value", f"spec.template.metadata.labels: Invalid value: {MISMATCH}"],
        ),
        (
            {"selector": {}},
            ["spec.selector: Invalid value: {}: empty selector is invalid for deployment"],
        ),
        (
            {"selector": {"matchExpressions": [{"key": "app", "operator": "Is", "values": ["x"]}]}},
            [
                'spec.selector.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator',
                'spec.selector: Invalid value: {"matchExpressions":[{"key":"app","operator":"Is","values":["x"]}]}: '
                "invalid label selector",
            ],
        ),
        (
            {"template": template(restartPolicy="Never")},
            ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
        ),
        (
            {"strategy": {"type": "Recreate", "rollingUpdate": {}}},
            [
                "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"
            ],
        ),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}},
            [
                'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'
            ],
        ),
        (
            {"strategy": {"rollingUpdate": {"maxUnavailable": "101%"}}},
            [
                'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%'
            ],
        ),
        (
            {"strategy": {"type": "Fast"}},
            [
                'spec.strategy: Unsupported value: {"Type":"Fast","RollingUpdate":null}: supported values: '
                '"Recreate", "RollingUpdate"'
            ],
        ),
        (
            {"minReadySeconds": 600},
            ["spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"],
        ),
    ],
)
def test_a_deployment_is_refused_for(change: dict, expected: list[str]) -> None:
    assert errors_of(deployments.KIND, workload(deployments.KIND, **change)) == expected


@pytest.mark.parametrize(
    "kind", [deployments.KIND, replicasets.KIND, daemonsets.KIND], ids=lambda kind: kind.plural
)
def test_the_selector_stays(kind: Kind) -> None:
    old = workload(kind)
    new = workload(kind, selector={"matchLabels": {"app": "y"}})
    assert [str(error) for error in kind.validate_update(new, old)] == [
        'spec.selector: Invalid value: {"matchLabels":{"app":"y"}}: field is immutable'
    ]


def test_annotations_of_a_deployment_count_as_a_change() -> None:
    old = workload(deployments.KIND)
    new = copy.deepcopy(old)
    new["metadata"]["annotations"] = {"kubernetes.io/change-cause": "x"}
    deployments.KIND.prepare_update(new, old)
    assert new["metadata"]["generation"] == 2


def test_status_counts_are_compared() -> None:
    status = {"replicas": 1, "updatedReplicas": 2, "readyReplicas": -1}
    assert [str(error) for error in deployments.KIND.validate_status({"status": status}, {})] == [
        "status.readyReplicas: Invalid value: -1: must be greater than or equal to 0",
        "status.updatedReplicas: Invalid value: 2: cannot be greater than status.replicas",
        "status.availableReplicas: Invalid value: 0: cannot be greater than readyReplicas",
    ]


def test_a_daemon_set_counts_its_templates_in_an_annotation_that_nobody_else_changes() -> None:
    def told(daemon_set: dict[str, Any]) -> str:
        return str(daemon_set["metadata"]["annotations"][daemonsets.TEMPLATE_GENERATION])

    first = workload(daemonsets.KIND)
    daemonsets.KIND.prepare_create(first)
    assert told(first) == "1"
    same = copy.deepcopy(first)
    same["metadata"]["annotations"] = {"deprecated.daemonset.template.generation": "7", "mine": "x"}
    same["spec"]["minReadySeconds"] = 5
    daemonsets.KIND.prepare_update(same, first)
    assert told(same) == "1"
    assert same["metadata"]["annotations"]["mine"] == "x"
    other = copy.deepcopy(same)
    del other["metadata"]["annotations"]
    other["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
    daemonsets.KIND.prepare_update(other, same)
    assert told(other) == "2"
    del same["metadata"]["annotations"]
    daemonsets.KIND.prepare_status(same, other, 0.0)
    assert told(same) == "2"


def test_a_daemon_set_never_has_both_or_neither_of_surge_and_unavailable() -> None:
    both = workload(daemonsets.KIND, updateStrategy={"rollingUpdate": {"maxSurge": 1}})
    neither = workload(daemonsets.KIND, updateStrategy={"rollingUpdate": {"maxUnavailable": 0}})
    path = "spec.updateStrategy.rollingUpdate"
    assert errors_of(daemonsets.KIND, both) == [
        f"{path}.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero"
    ]
    assert errors_of(daemonsets.KIND, neither) == [
        f"{path}.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"
    ]


def test_mounts_of_a_stateful_set_may_be_claims() -> None:
    containers = [{"name": "c", "image": "x:1", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    made = template(containers=containers)
    assert errors_of(statefulsets.KIND, workload(statefulsets.KIND, template=made)) == [
        'spec.template.spec.containers[0].volumeMounts[0].name: Not found: "data"'
    ]
    with_claim = workload(statefulsets.KIND, template=copy.deepcopy(made), volumeClaimTemplates=[claim])
    assert errors_of(statefulsets.KIND, with_claim) == []


def test_little_of_a_stateful_set_may_change() -> None:
    old = workload(statefulsets.KIND)
    fine = workload(
        statefulsets.KIND, replicas=5, minReadySeconds=3, template=template({"app": "x", "a": "b"})
    )
    assert statefulsets.KIND.validate_update(fine, old) == []
    (error,) = statefulsets.KIND.validate_update(workload(statefulsets.KIND, serviceName="other"), old)
    assert str(error) == (
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
        "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' "
        "are forbidden"
    )


def test_a_replication_controller_selects_what_its_template_says() -> None:
    controller: dict[str, Any] = {"metadata": {"name": "rc"}, "spec": {"template": template()}}
    replicationcontrollers.KIND.default(controller)
    assert (controller["spec"]["selector"], controller["metadata"]["labels"]) == ({"app": "x"}, {"app": "x"})
    assert errors_of(replicationcontrollers.KIND, controller) == []


def job(**spec: Any) -> dict[str, Any]:
    made = {
        "metadata": {"name": "j", "uid": "u-1"},
        "spec": {"template": template(restartPolicy="Never"), **spec},
    }
    jobs.KIND.default(made)
    jobs.KIND.prepare_create(made)
    return made


def test_a_job_tells_its_pods_by_its_own_uid() -> None:
    spec = job()["spec"]
    assert spec["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}}
    assert spec["template"]["metadata"]["labels"] == {
        "app": "x",
        "batch.kubernetes.io/controller-uid": "u-1",
        "batch.kubernetes.io/job-name": "j",
        "controller-uid": "u-1",
        "job-name": "j",
    }
    assert errors_of(jobs.KIND, job()) == []


def test_a_job_gets_what_upstream_gives_it() -> None:
    spec = job()["spec"]
    names = (
        "completions",
        "parallelism",
        "backoffLimit",
        "completionMode",
        "suspend",
        "podReplacementPolicy",
    )
    assert [spec[name] for name in names] == [1, 1, 6, "NonIndexed", False, "TerminatingOrFailed"]
    assert "completions" not in job(parallelism=3)["spec"]


def test_a_job_cannot_run_for_ever() -> None:
    made = job(template=template(restartPolicy="Always"))
    assert errors_of(jobs.KIND, made) == [
        'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'
    ]


def test_the_template_of_a_job_stays() -> None:
    old = job()
    new = copy.deepcopy(old)
    new["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:2"
    (error,) = jobs.KIND.validate_update(new, old)
    assert error.field == "spec.template" and error.message.endswith(": field is immutable")
    assert jobs.KIND.validate_update(job(parallelism=5, completions=1), job(completions=1)) == []


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        ("*/5 * * * *", ""),
        ("0 9-17 * JAN mon-fri", ""),
        ("@hourly", ""),
        ("", None),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("@sometimes", "unrecognized descriptor: @sometimes"),
    ],
)
def test_schedules_are_read_as_cron_reads_them(schedule: str, why: str | None) -> None:
    made = {
        "metadata": {"name": "c"},
        "spec": {
            "schedule": schedule,
            "jobTemplate": {"spec": {"template": template(restartPolicy="Never")}},
        },
    }
    cronjobs.KIND.default(made)
    errors = errors_of(cronjobs.KIND, made)
    if why is None:
        assert errors == ["spec.schedule: Required value"]
    else:
        assert errors == ([f'spec.schedule: Invalid value: "{schedule}": {why}'] if why else [])


def test_a_cron_job_leaves_room_in_its_name() -> None:
    made = {
        "metadata": {"name": "c" * 53},
        "spec": {
            "schedule": "@daily",
            "jobTemplate": {"spec": {"template": template(restartPolicy="Never")}},
        },
    }
    cronjobs.KIND.default(made)
    (error,) = errors_of(cronjobs.KIND, made)
    assert error == f'metadata.name: Invalid value: "{"c" * 53}": must be no more than 52 characters'


def test_a_stateful_set_rolls_one_pod_at_a_time_from_the_end() -> None:
    strategy = workload(statefulsets.KIND)["spec"]["updateStrategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}}
    stuck = workload(statefulsets.KIND, updateStrategy={"rollingUpdate": {"maxUnavailable": 0}})
    assert errors_of(statefulsets.KIND, stuck) == [
        "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0"
    ]
