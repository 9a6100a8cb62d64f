"""What Jobs and CronJobs are refused for, what of them may change, and what may be said of how they fare."""

import copy
from typing import Any

import pytest

from mamekube.kinds.batch import cronjobs, indexes, jobs, schedules

TEMPLATE = {"spec": {"containers": [{"name": "c", "image": "nginx:1"}], "restartPolicy": "Never"}}


def job(name: str = "j", **spec: Any) -> dict[str, Any]:
    made = {"metadata": {"name": name, "uid": "u-1"}, "spec": {"template": copy.deepcopy(TEMPLATE), **spec}}
    jobs.KIND.default(made)
    jobs.KIND.prepare_create(made)
    return made


def indexed(**spec: Any) -> dict[str, Any]:
    return job(**{"completionMode": "Indexed", "completions": 5, **spec})


def with_rule(**rule: Any) -> dict[str, Any]:
    return job(podFailurePolicy={"rules": [{"action": "FailJob", **rule}]})


def codes(*values: int, **more: Any) -> dict[str, Any]:
    return {"operator": "In", "values": [*values], **more}


def labelled(**labels: str) -> dict[str, Any]:
    return job(template={**copy.deepcopy(TEMPLATE), "metadata": {"labels": labels}})


def succeeding(*rules: dict[str, Any]) -> dict[str, Any]:
    return indexed(successPolicy={"rules": [*rules]})


RULE = "spec.podFailurePolicy.rules[0]"
CODES = f"{RULE}.onExitCodes"
SUCCESS = "spec.successPolicy.rules[0]"
HIGH = "when completions are above 100000 and used with backoff limit per index"
OWN_LABELS = (
    '{"batch.kubernetes.io/controller-uid":"u-1","batch.kubernetes.io/job-name":"j","controller-uid":"mine",'
    '"job-name":"j"}'
)

JOBS = [
    (job(),),
    (with_rule(onExitCodes=codes(1, 2)),),
    (indexed(backoffLimitPerIndex=1, maxFailedIndexes=2, managedBy="example.com/mine"),),
    (succeeding({"succeededIndexes": "0-2,4", "succeededCount": 4}),),
    (job(backoffLimitPerIndex=1),
     "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"),
    (indexed(maxFailedIndexes=6),
     "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
     "spec.maxFailedIndexes: Invalid value: 6: must be less than or equal to completions"),
    (indexed(completions=100_001, parallelism=10_001, backoffLimitPerIndex=1),
     "spec.maxFailedIndexes: Required value: must be specified when completions is above 100000",
     f"spec.parallelism: Invalid value: 10001: must be less than or equal to 10000 {HIGH}"),
    (indexed(parallelism=100_001),
     "spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when completion mode is Indexed"),
    (job(managedBy="me"),
     'spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")'),
    (job(managedBy=f"example.com/{'x' * 60}"), "spec.managedBy: Too long: may not be more than 63 bytes"),
    (job("a.b", completionMode="Indexed", completions=2),
     'metadata.name: Invalid value: "a.b": will not able to create pod with invalid DNS label: a.b-1'),
    (with_rule(), f"{RULE}: Invalid value: specifying one of OnExitCodes and OnPodConditions is required"),
    (with_rule(onExitCodes=codes(1), onPodConditions=[{"type": "DisruptionTarget"}]),
     f"{RULE}: Invalid value: specifying both OnExitCodes and OnPodConditions is not supported"),
    (with_rule(action="", onExitCodes=codes(1)),
     f'{RULE}.action: Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]'),
    (with_rule(action="FailIndex", onExitCodes=codes(1)),
     f'{RULE}.action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set'),
    (with_rule(action="Panic", onExitCodes=codes(1)),
     f'{RULE}.action: Unsupported value: "Panic": supported values: "Count", "FailIndex", "FailJob", "Ignore"'),
    (with_rule(onExitCodes=codes(3, 0, 3, containerName="other", operator="Is")),
     f'{CODES}.operator: Unsupported value: "Is": supported values: "In", "NotIn"',
     f'{CODES}.containerName: Invalid value: "other": must be one of the container or initContainer names in the '
     "pod template",
     f"{CODES}.values[2]: Duplicate value: 3",
     f"{CODES}.values: Invalid value: [3,0,3]: must be ordered"),
    (with_rule(onExitCodes=codes(0)),
     f"{CODES}.values[0]: Invalid value: 0: must not be 0 for the In operator"),
    (with_rule(onExitCodes=codes()), f"{CODES}.values: Invalid value: []: at least one value is required"),
    (with_rule(onPodConditions=[{"type": "Ready", "status": "Maybe"}]),
     f'{RULE}.onPodConditions[0].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"'),
    (job(podFailurePolicy={"rules": []}, podReplacementPolicy="TerminatingOrFailed"),
     'spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"'),
    (job(successPolicy={"rules": [{"succeededCount": 1}]}),
     'spec.successPolicy: Invalid value: {"Rules":[{"SucceededIndexes":null,"SucceededCount":1}]}: requires indexed '
     "completion mode"),
    (succeeding(),
     "spec.successPolicy.rules: Required value: at least one rules must be specified when the successPolicy is "
     "specified"),
    (succeeding({}),
     f"{SUCCESS}: Required value: at least one of succeededCount or succeededIndexes must be specified"),
    (succeeding({"succeededIndexes": "0,7", "succeededCount": 9}),
     f'{SUCCESS}.succeededIndexes: Invalid value: "0,7": error parsing succeededIndexes: too large index: "7"',
     f"{SUCCESS}.succeededCount: Invalid value: 9: must be less than or equal to 5 (the number of specified "
     "completions)",
     f"{SUCCESS}.succeededCount: Invalid value: 9: must be less than or equal to 0 (the number of indexes in the "
     "specified succeededIndexes field)"),
    (labelled(**{"controller-uid": "mine"}),
     f"spec.template.metadata.labels[controller-uid]: Invalid value: {OWN_LABELS}: must be 'u-1'"),
    (job(selector={"matchLabels": {"app": "x"}}),
     'spec.selector: Invalid value: {"matchLabels":{"app":"x","batch.kubernetes.io/controller-uid":"u-1"}}: '
     "`selector` not auto-generated",
     'spec.template.metadata.labels: Invalid value: {"batch.kubernetes.io/controller-uid":"u-1",'
     '"batch.kubernetes.io/job-name":"j","controller-uid":"u-1","job-name":"j"}: `selector` does not match template '
     "`labels`"),
]  # fmt: skip


@pytest.mark.parametrize("case", JOBS, ids=lambda case: case[1][:60] if case[1:] else "fine")
def test_a_job_is_refused_for(case: tuple[Any, ...]) -> None:
    obj, *expected = case
    assert [str(error) for error in jobs.KIND.validate(obj)] == expected


def edited(obj: dict[str, Any], **spec: Any) -> dict[str, Any]:
    made = copy.deepcopy(obj)
    made["spec"].update(spec)
    return made


def with_container(obj: dict[str, Any], **fields: Any) -> dict[str, Any]:
    made = copy.deepcopy(obj)
    made["spec"]["template"]["spec"]["containers"][0].update(fields)
    return made


def with_pod(obj: dict[str, Any], **fields: Any) -> dict[str, Any]:
    made = copy.deepcopy(obj)
    made["spec"]["template"]["spec"].update(fields)
    return made


NODE_AFFINITY = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}
RESOURCES = {"limits": {"cpu": "1"}, "requests": {"cpu": "500m"}}
SUSPENDED = job(suspend=True)
RUNNING_STILL = {**SUSPENDED, "status": {"active": 1}}

UPDATES = [
    (indexed(parallelism=5), indexed(completions=3, parallelism=3), []),
    (
        indexed(),
        indexed(completions=3),
        ["spec.completions: Invalid value: 3: can only be modified in tandem with spec.parallelism"],
    ),
    (
        job(completions=1),
        edited(job(), completions=None),
        ['spec.completions: Invalid value: "null": field is immutable'],
    ),
    (
        with_rule(onExitCodes=codes(1)),
        with_rule(onExitCodes=codes(2)),
        [
            'spec.podFailurePolicy: Invalid value: {"Rules":[{"Action":"FailJob","OnExitCodes":{"ContainerName":null,'
            '"Operator":"In","Values":[2]},"OnPodConditions":null}]}: field is immutable'
        ],
    ),
    (job(), job(managedBy="a.b/c"), ['spec.managedBy: Invalid value: "a.b/c": field is immutable']),
    (SUSPENDED, with_container(SUSPENDED, resources=RESOURCES), []),
    (with_container(SUSPENDED, resources=RESOURCES), with_container(SUSPENDED, resources={}), []),
    (SUSPENDED, with_pod(SUSPENDED, affinity={"nodeAffinity": NODE_AFFINITY}, nodeSelector={"a": "b"}), []),
    (with_pod(SUSPENDED, affinity={"nodeAffinity": NODE_AFFINITY}), SUSPENDED, []),
    (SUSPENDED, edited(with_pod(SUSPENDED, tolerations=[{"operator": "Exists"}]), suspend=False), []),
    (SUSPENDED, with_pod(SUSPENDED, affinity={"podAffinity": {}}), ["spec.template"]),
    (SUSPENDED, with_container(SUSPENDED, image="other"), ["spec.template"]),
    (RUNNING_STILL, with_container(SUSPENDED, resources=RESOURCES), ["spec.template"]),
    (job(), with_container(job(), resources=RESOURCES), ["spec.template"]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), UPDATES)
def test_little_of_a_job_may_change(old: dict[str, Any], new: dict[str, Any], expected: list[str]) -> None:
    errors = jobs.KIND.validate_update(new, old)
    # The template is too long to be repeated here.
    assert [error.field if error.field == "spec.template" else str(error) for error in errors] == expected


def true(*kinds: str) -> list[dict[str, str]]:
    return [{"type": kind, "status": "True"} for kind in kinds]


def status(*kinds: str, **fields: Any) -> dict[str, Any]:
    return {"conditions": true(*kinds), **fields}


START, LATER, END = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-01-01T00:01:00Z"
DONE = status("SuccessCriteriaMet", "Complete", startTime=START, completionTime=END)
CONDITIONS = "status.conditions: Invalid value"

STATUSES = [
    (job(), {}, DONE),
    (job(), status("FailureTarget"), status("FailureTarget", "Failed", startTime=START)),
    (job(), {}, status("Failed", startTime=START),
     f"{CONDITIONS}: cannot set Failed=True condition without the FailureTarget=true condition"),
    (job(), {}, status("Complete", startTime=START, completionTime=END),
     f"{CONDITIONS}: cannot set Complete=True condition without the SuccessCriteriaMet=true condition"),
    (job(), {}, {**DONE, "completionTime": None},
     "status.completionTime: Required value: completionTime is required for Complete jobs"),
    (job(), {}, {"completionTime": END},
     f'status.completionTime: Invalid value: "{END}": cannot set completionTime when there is no Complete=True '
     "condition"),
    (job(), {}, {**DONE, "startTime": END, "completionTime": START},
     f'status.completionTime: Invalid value: "{START}": completionTime cannot be set before startTime'),
    (job(), {}, {**DONE, "active": 1, "startTime": None, "terminating": 2},
     "status.active: Invalid value: 1: active>0 is invalid for finished job",
     "status.startTime: Required value: startTime is required for finished job",
     "status.terminating: Invalid value: 2: terminating>0 is invalid for finished job"),
    (job(), {}, {**DONE, "uncountedTerminatedPods": {"failed": ["a", "a", ""]}},
     'status.uncountedTerminatedPods.failed[1]: Duplicate value: "a"',
     'status.uncountedTerminatedPods.failed[2]: Invalid value: "": must not be empty',
     'status.uncountedTerminatedPods: Invalid value: {"Succeeded":null,"Failed":["a","a",""]}: '
     "uncountedTerminatedPods needs to be empty for finished job"),
    (job(), {}, {"ready": 2, "active": 1},
     "status.ready: Invalid value: 2: cannot set more ready pods than active"),
    (job(), {"ready": 2, "active": 1}, {"ready": 2, "active": 1, "failed": 1}),
    (job(), DONE, {**DONE, "conditions": true("SuccessCriteriaMet")},
     f'status.completionTime: Invalid value: "{END}": cannot set completionTime when there is no Complete=True '
     "condition",
     f"{CONDITIONS}: cannot disable the terminal Complete=True condition"),
    (job(), {"failed": 2, "succeeded": 2}, {"failed": 1, "succeeded": 1},
     "status.failed: Invalid value: 1: cannot decrease the failed counter",
     "status.succeeded: Invalid value: 1: cannot decrease the succeeded counter"),
    (indexed(parallelism=5), {"succeeded": 2}, {"succeeded": 1}),
    (job(), {"startTime": START}, {"startTime": LATER},
     f'status.startTime: Invalid value: "{LATER}": field is immutable for unsuspended job once set'),
    (job(), {"startTime": START}, {},
     'status.startTime: Invalid value: "null": field is immutable for unsuspended job once set'),
    (job(suspend=True), {"startTime": START}, {}),
    (job(), status("Suspended", startTime=START),
     {"conditions": [{"type": "Suspended", "status": "False"}], "startTime": LATER}),
    (job(), DONE, {**DONE, "completionTime": LATER},
     f'status.completionTime: Invalid value: "{LATER}": completionTime cannot be mutated'),
    (job(), {}, {"completedIndexes": "0"},
     'status.completedIndexes: Invalid value: "0": error parsing completedIndexes: too large index: "0"',
     'status.completedIndexes: Invalid value: "0": cannot set non-empty completedIndexes when non-indexed completion '
     "mode"),
    (indexed(), {}, {"failedIndexes": "0"},
     'status.failedIndexes: Invalid value: "0": cannot set non-null failedIndexes when backoffLimitPerIndex is null'),
    (indexed(backoffLimitPerIndex=1), {}, {"completedIndexes": "0-2", "failedIndexes": "2,4"},
     'status.failedIndexes: Invalid value: "2,4": failedIndexes and completedIndexes overlap at index: 2'),
    (job(), {}, status("SuccessCriteriaMet", "FailureTarget"),
     f"{CONDITIONS}: cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
]  # fmt: skip


@pytest.mark.parametrize("case", STATUSES, ids=lambda case: case[3][:70] if case[3:] else "fine")
def test_a_status_of_a_job_is_refused_for(case: tuple[Any, ...]) -> None:
    obj, before, after, *expected = case
    if "completedIndexes" in after and obj["spec"]["completionMode"] == "NonIndexed":
        obj["spec"]["completions"] = 0
    errors = jobs.KIND.validate_status({**obj, "status": after}, {**obj, "status": before})
    assert [str(error) for error in errors] == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1-2-3", "the fragment \"1-2-3\" violates the requirement that an index interval can have at most two parts "
         "separated by '-'"),
        ("x", 'cannot convert string to integer for index: "x"'),
        ("3,2", "non-increasing order, previous: 3, current: 2"),
        ("4-3", "non-increasing order, previous: 4, current: 3"),
        ("1,,2", 'cannot convert string to integer for index: ""'),
    ],
)  # fmt: skip
def test_indexes_are_wrong_for(text: str, why: str) -> None:
    with pytest.raises(indexes.IndexesError) as caught:
        indexes.count(text, 9)
    assert str(caught.value) == why


def cron_job(name: str = "c", **spec: Any) -> dict[str, Any]:
    job_template = {"spec": {"template": copy.deepcopy(TEMPLATE)}}
    made = {"metadata": {"name": name}, "spec": {"schedule": "@daily", "jobTemplate": job_template, **spec}}
    cronjobs.KIND.default(made)
    return made


ZONED = "CRON_TZ=UTC 0 0 * * *"
NO_ZONE = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
CRON_JOBS = [
    (cron_job(timeZone="Europe/Berlin"),),
    (cron_job(timeZone=""), 'spec.timeZone: Invalid value: "": timeZone must be nil or non-empty string'),
    (cron_job(timeZone="Not/There"), 'spec.timeZone: Invalid value: "Not/There": unknown time zone Not/There'),
    (cron_job(timeZone="../../etc"), 'spec.timeZone: Invalid value: "../../etc": unknown time zone ../../etc'),
    (cron_job(timeZone="Local"),
     'spec.timeZone: Invalid value: "Local": timeZone must be an explicit time zone as defined in '
     "https://www.iana.org/time-zones"),
    (cron_job(schedule=ZONED), f'spec.schedule: Invalid value: "{ZONED}": {NO_ZONE}'),
    (cron_job(schedule="TZ=No/Where @daily"),
     'spec.schedule: Invalid value: "TZ=No/Where @daily": provided bad location No/Where: unknown time zone No/Where',
     f'spec.schedule: Invalid value: "TZ=No/Where @daily": {NO_ZONE}'),
    (cron_job(jobTemplate={"spec": {"template": TEMPLATE, "selector": {}, "manualSelector": True}}),
     "spec.jobTemplate.spec.selector: Invalid value: {}: `selector` will be auto-generated",
     'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"'),
    (cron_job(failedJobsHistoryLimit=-1, concurrencyPolicy="Never"),
     'spec.concurrencyPolicy: Unsupported value: "Never": supported values: "Allow", "Forbid", "Replace"',
     "spec.failedJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0"),
]  # fmt: skip


@pytest.mark.parametrize("case", CRON_JOBS, ids=lambda case: case[-1][:70] if case[1:] else "fine")
def test_a_cron_job_is_refused_for(case: tuple[Any, ...]) -> None:
    obj, *expected = case
    assert [str(error) for error in cronjobs.KIND.validate_create(obj)] == expected


def test_what_a_cron_job_may_no_longer_be_made_with_it_may_keep() -> None:
    old = cron_job("c" * 60, schedule=ZONED)
    assert cronjobs.KIND.validate_update(old, old) == []
    old = cron_job(timeZone="No/Where")
    assert cronjobs.KIND.validate_update(old, old) == []
    (error,) = cronjobs.KIND.validate_update(
        cron_job(schedule=ZONED, timeZone="UTC"), cron_job(schedule=ZONED)
    )
    assert error.message.endswith("cannot use both timeZone field and TZ or CRON_TZ in schedule")


def test_jobs_warn_of_names_that_are_no_labels_and_of_more_indexes_than_can_be_told() -> None:
    made = indexed(completions=100_001, parallelism=10_001)
    made["metadata"]["name"] = "a.b"
    name, many = jobs.KIND.warnings(made, None)
    assert name.startswith("metadata.name: this is used in Pod names and hostnames")
    assert many.startswith("In Indexed Jobs with a number of completions higher than 10^5")
    assert jobs.KIND.warnings(made, made) == []


def test_a_cron_job_that_kept_a_zone_in_its_schedule_is_told_with_every_update() -> None:
    zoned = cron_job(schedule=ZONED)
    assert cronjobs.KIND.warnings(zoned, None) == []
    assert cronjobs.KIND.warnings(zoned, zoned) == [
        "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see "
        "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
    ]


INT = "failed to parse int from"
SCHEDULES = [
    ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
    ("60 * * * *", "end of range (60) above maximum (59): 60"),
    ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
    ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
    ("0 0 * * 7", "end of range (7) above maximum (6): 7"),
    ("*/0 * * * *", "step of range should be a positive number: */0"),
    ("70/0 * * * *", "beginning of range (70) beyond end of range (59): 70/0"),
    ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
    ("1/2/3 * * * *", "too many slashes: 1/2/3"),
    ("*/-5 * * * *", "negative number (-5) not allowed: -5"),
    ("a * * * *", f'{INT} a: strconv.Atoi: parsing "a": invalid syntax'),
    ("1,-5 * * * *", f'{INT} : strconv.Atoi: parsing "": invalid syntax'),
    ("mon * * * *", f'{INT} mon: strconv.Atoi: parsing "mon": invalid syntax'),
    (f"{2**63} * * * *", f'{INT} {2**63}: strconv.Atoi: parsing "{2**63}": value out of range'),
    ("@Daily", "unrecognized descriptor: @Daily"),
    ("@every 1d", 'failed to parse duration @every 1d: time: unknown unit "d" in duration "1d"'),
    ("TZ=No/Where @daily", "provided bad location No/Where: unknown time zone No/Where"),
]


@pytest.mark.parametrize(("text", "why"), SCHEDULES)
def test_a_schedule_is_refused_for(text: str, why: str) -> None:
    with pytest.raises(schedules.ScheduleError) as caught:
        schedules.parse(text)
    assert str(caught.value) == why


@pytest.mark.parametrize("text", ["@every 1h30m", ", * * * *", "1,,+3 * * jan-MAR Sun", "? */5 1/7 * *"])
def test_what_is_rarely_written_is_a_schedule_still(text: str) -> None:
    assert cronjobs.KIND.validate_create(cron_job(schedule=text)) == []
