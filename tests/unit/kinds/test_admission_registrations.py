"""Registrations of webhooks and policies that are refused, in upstream's words."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mamekube.kinds.admissionregistration import (
    mutatingadmissionpolicies,
    mutatingadmissionpolicybindings,
    mutatingwebhookconfigurations,
    validatingadmissionpolicies,
    validatingadmissionpolicybindings,
    validatingwebhookconfigurations,
)
from mamekube.kinds.kind import Kind
from mamekube.objects import urls

HOOK = "webhooks[0]"
FORM = "; desired format: https://host[/path]"
RULE = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
LABEL = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
    "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation "
    "is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def problems(kind: Kind, obj: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    obj = {"metadata": {"name": "name"}, **copy.deepcopy(obj)}
    kind.default(obj)
    found = kind.validate(obj)
    if old is None:
        return [str(error) for error in [*found, *kind.validate_create(obj)]]
    old = copy.deepcopy(old)
    kind.default(old)
    return [str(error) for error in [*found, *kind.validate_update(obj, old)]]


def hook(**changes: Any) -> dict[str, Any]:
    whole = {
        "name": "webhook.k8s.io",
        "clientConfig": {"url": "https://example.com/hook"},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "rules": [RULE],
        **changes,
    }
    return {key: value for key, value in whole.items() if value is not None}


def ruled(**changes: Any) -> dict[str, Any]:
    return hook(rules=[{**RULE, **changes}])


def at(url: str) -> dict[str, Any]:
    return hook(clientConfig={"url": url})


def served(**service: Any) -> dict[str, Any]:
    return hook(clientConfig={"service": {"name": "n", "namespace": "ns", **service}})


URL = f"{HOOK}.clientConfig.url"
SERVICE = f"{HOOK}.clientConfig.service"
RESOURCES = f"{HOOK}.rules[0].resources"
HOOKS: list[tuple[dict[str, Any], list[str]]] = [
    (hook(), []),
    (hook(name=None), [f"{HOOK}.name: Required value"]),
    (hook(name="."), [f'{HOOK}.name: Invalid value: ".": {SUBDOMAIN}']),
    (
        hook(name="k8s.io"),
        [
            f'{HOOK}.name: Invalid value: "k8s.io": should be a domain with at least three segments separated '
            "by dots"
        ],
    ),
    (hook(sideEffects=None), [f"{HOOK}.sideEffects: Required value: must specify one of None, NoneOnDryRun"]),
    (
        hook(sideEffects="Unknown"),
        [f'{HOOK}.sideEffects: Unsupported value: "Unknown": supported values: "None", "NoneOnDryRun"'],
    ),
    (
        hook(timeoutSeconds=0),
        [f"{HOOK}.timeoutSeconds: Invalid value: 0: the timeout value must be between 1 and 30 seconds"],
    ),
    (
        hook(admissionReviewVersions=["v1", "v1"]),
        [f'{HOOK}.admissionReviewVersions[1]: Invalid value: "v1": duplicate version'],
    ),
    (
        hook(admissionReviewVersions=["0v"]),
        [
            f'{HOOK}.admissionReviewVersions[0]: Invalid value: "0v": {LABEL}',
            f'{HOOK}.admissionReviewVersions: Invalid value: ["0v"]: must include at least one of v1, v1beta1',
        ],
    ),
    (
        hook(clientConfig={}),
        [f"{HOOK}.clientConfig: Required value: exactly one of url or service is required"],
    ),
    (
        hook(clientConfig={"url": "https://a", "service": {"name": "n", "namespace": "ns"}}),
        [f"{HOOK}.clientConfig: Required value: exactly one of url or service is required"],
    ),
    # Where a webhook is.
    (at("https://user@"), [
        f'{URL}: Invalid value: "": host must be provided{FORM}',
        f'{URL}: Invalid value: "user": user information is not permitted in the URL',
    ]),
    (at("http://example.com"), [f'{URL}: Invalid value: "http": \'https\' is the only allowed URL scheme{FORM}']),
    (at("https://h/#f"), [f'{URL}: Invalid value: "f": fragments are not permitted in the URL']),
    (at("https://h?a=b"), [f'{URL}: Invalid value: "a=b": query parameters are not permitted in the URL']),
    (at("https:///fancy/webhook"), [f'{URL}: Invalid value: "": host must be provided{FORM}']),
    (at(""), [
        f'{URL}: Invalid value: "": \'https\' is the only allowed URL scheme{FORM}',
        f'{URL}: Invalid value: "": host must be provided{FORM}',
    ]),
    (at("arg#backwards=thisis.html.index/port:host//:https"), [
        f'{URL}: Invalid value: "": \'https\' is the only allowed URL scheme{FORM}',
        f'{URL}: Invalid value: "": host must be provided{FORM}',
        f'{URL}: Invalid value: "backwards=thisis.html.index/port:host//:https": '
        "fragments are not permitted in the URL",
    ]),
    (at("https://h:x"), [
        f'{URL}: Required value: url must be a valid URL: parse "https://h:x": invalid port ":x" after host{FORM}'
    ]),
    # Services; upstream takes name and namespace for each other.
    (served(name=""), [f"{SERVICE}.namespace: Required value: service namespace is required"]),
    (served(namespace=""), [f"{SERVICE}.name: Required value: service name is required"]),
    (served(port=65536), [
        f"{SERVICE}.port: Invalid value: 65536: port is not valid: must be between 1 and 65535, inclusive"
    ]),
    (served(path="/foo/bar/"), []),
    (served(path="//"), [f'{SERVICE}.path: Invalid value: "//": segment[0] may not be empty']),
    (served(path="foo"), [f'{SERVICE}.path: Invalid value: "foo": must start with a \'/\'']),
    (served(path="/foo//bar"), [f'{SERVICE}.path: Invalid value: "/foo//bar": segment[1] may not be empty']),
    (served(path="/a/_x"), [f'{SERVICE}.path: Invalid value: "/a/_x": segment[1]: {SUBDOMAIN}']),
    # Rules.
    (ruled(operations=[]), [f"{HOOK}.rules[0].operations: Required value"]),
    (ruled(operations=["CREATE", "*"]), [
        f'{HOOK}.rules[0].operations: Invalid value: ["CREATE","*"]: '
        "if '*' is present, must not specify other operations"
    ]),
    (ruled(operations=["PATCH"]), [
        f'{HOOK}.rules[0].operations[0]: Unsupported value: "PATCH": supported values: '
        '"*", "CONNECT", "CREATE", "DELETE", "UPDATE"'
    ]),
    (ruled(apiGroups=["a", "*"]), [
        f'{HOOK}.rules[0].apiGroups: Invalid value: ["a","*"]: '
        "if '*' is present, must not specify other API groups"
    ]),
    (ruled(apiVersions=[""]), [f"{HOOK}.rules[0].apiVersions[0]: Required value"]),
    (ruled(resources=[]), [f"{RESOURCES}: Required value"]),
    (ruled(resources=[""]), [f"{RESOURCES}[0]: Required value"]),
    (ruled(resources=["*", "a/x"]), []),
    (ruled(resources=["*", "a"]), [
        f'{RESOURCES}: Invalid value: ["*","a"]: '
        "if '*' is present, must not specify other resources without subresources"
    ]),
    (ruled(resources=["*/*", "a"]), [
        f'{RESOURCES}: Invalid value: ["*/*","a"]: if \'*/*\' is present, must not specify other resources'
    ]),
    (ruled(resources=["a/*", "a/x"]), [
        f'{RESOURCES}[1]: Invalid value: "a/x": if \'a/*\' is present, must not specify a/x'
    ]),
    (ruled(resources=["*/a", "x/a"]), [
        f'{RESOURCES}[1]: Invalid value: "x/a": if \'*/a\' is present, must not specify x/a'
    ]),
    (ruled(scope="None"), [
        f'{HOOK}.rules[0].scope: Unsupported value: "None": supported values: "*", "Cluster", "Namespaced"'
    ]),
    # Conditions.
    (hook(matchConditions=[{"name": "a/b/c", "expression": "variables.x"}]), [
        f'{HOOK}.matchConditions[0].expression: Invalid value: "variables.x": compilation failed: '
        "ERROR: <input>:1:1: undeclared reference to 'variables' (in container '')\n | variables.x\n | ^",
        f'{HOOK}.matchConditions[0].name: Invalid value: "a/b/c": a valid label key must consist of alphanumeric '
        "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or "
        "'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with "
        "an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
    ]),
    (hook(matchConditions=[{"name": "a", "expression": " "}, {"name": "a", "expression": "true"}]), [
        f"{HOOK}.matchConditions[0].expression: Required value",
        f'{HOOK}.matchConditions[1].name: Duplicate value: "a"',
    ]),
    (hook(matchConditions=[{"name": f"c{number}", "expression": "true"} for number in range(65)]), [
        f"{HOOK}.matchConditions: Too many: 65: must have at most 64 items"
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("webhook", "expected"), HOOKS)
def test_a_webhook_is_refused_for(webhook: dict[str, Any], expected: list[str]) -> None:
    assert problems(validatingwebhookconfigurations.KIND, {"webhooks": [webhook]}) == expected


def test_webhooks_of_one_configuration_have_names_of_their_own() -> None:
    found = problems(mutatingwebhookconfigurations.KIND, {"webhooks": [hook(), hook()]})
    assert found == ['webhooks[1].name: Duplicate value: "webhook.k8s.io"']


def test_a_mutating_webhook_says_when_it_is_called_again() -> None:
    found = problems(mutatingwebhookconfigurations.KIND, {"webhooks": [hook(reinvocationPolicy="Other")]})
    assert found == [
        f'{HOOK}.reinvocationPolicy: Unsupported value: "Other": supported values: "IfNeeded", "Never"'
    ]


def test_conditions_that_stay_as_they_were_are_not_judged_again() -> None:
    kind = validatingwebhookconfigurations.KIND
    bad = {"webhooks": [hook(matchConditions=[{"name": "a", "expression": "nonsense"}])]}
    changed = {"webhooks": [{**bad["webhooks"][0], "timeoutSeconds": 5}]}
    assert problems(kind, bad)
    assert problems(kind, changed, bad) == []


# Policies -----------------------------------------------------------------------------------------------


def policy(**spec: Any) -> dict[str, Any]:
    whole = {
        "matchConstraints": {"resourceRules": [RULE]},
        "validations": [{"expression": "true"}],
        **spec,
    }
    return {"spec": {key: value for key, value in whole.items() if value is not None}}


def rules(**changes: Any) -> dict[str, Any]:
    return {"resourceRules": [{**RULE, **changes}]}


def judged(**rule: Any) -> dict[str, Any]:
    return policy(validations=[{"expression": "true", **rule}])


NEEDED = "Required value: validations or auditAnnotations must contain at least one item"
POLICIES: list[tuple[dict[str, Any], list[str]]] = [
    (policy(), []),
    (policy(failurePolicy="other"), [
        'spec.failurePolicy: Unsupported value: "other": supported values: "Fail", "Ignore"'
    ]),
    (policy(matchConstraints=None), ["spec.matchConstraints: Required value"]),
    (policy(matchConstraints={}), ["spec.matchConstraints.resourceRules: Required value"]),
    (policy(matchConstraints=rules(resourceNames=["a", "a", "/"])), [
        'spec.matchConstraints.resourceRules[0].resourceNames[1]: Duplicate value: "a"',
        'spec.matchConstraints.resourceRules[0].resourceNames[2]: Invalid value: "/": may not contain \'/\'',
    ]),
    (policy(paramKind={}), [
        "spec.paramKind.apiVersion: Required value",
        "spec.paramKind.kind: Required value",
    ]),
    (policy(paramKind={"apiVersion": "a/b/c", "kind": "K"}), [
        'spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c'
    ]),
    (policy(paramKind={"apiVersion": "g.io/", "kind": "K k"}), [
        'spec.paramKind.apiVersion: Invalid value: "g.io/": version must be specified',
        f'spec.paramKind.kind: Invalid value: "K k": may have mixed case, but should otherwise match: {LABEL}',
    ]),
    (policy(validations=None), [f"spec.validations: {NEEDED}", f"spec.auditAnnotations: {NEEDED}"]),
    (judged(expression=" "), ["spec.validations[0].expression: Required value: expression is not specified"]),
    (judged(expression="1"), ['spec.validations[0].expression: Invalid value: "1": must evaluate to bool']),
    (judged(messageExpression=" "), [
        'spec.validations[0].messageExpression: Invalid value: " ": must be non-empty if specified'
    ]),
    (judged(message=" "), ['spec.validations[0].message: Invalid value: " ": must be non-empty if specified']),
    (judged(message="a\rb"), [
        'spec.validations[0].message: Invalid value: "a\\rb": must not contain line breaks'
    ]),
    (judged(reason="Unauthorized"), [
        'spec.validations[0].reason: Unsupported value: "Unauthorized": supported values: '
        '"Forbidden", "Invalid", "RequestEntityTooLarge"'
    ]),
    (policy(variables=[{"name": "while", "expression": "1"}, {"name": " ", "expression": " "}]), [
        'spec.variables[0].name: Invalid value: "while": must be a valid CEL identifier',
        "spec.variables[1].name: Required value: name is not specified",
        "spec.variables[1].expression: Required value: expression is not specified",
    ]),
    (policy(auditAnnotations=[{"key": "a/b", "valueExpression": "1"}]), [
        'spec.auditAnnotations[0].key: Invalid value: "name/a/b": a valid label key must consist of alphanumeric '
        "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or "
        "'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with "
        "an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
        'spec.auditAnnotations[0].valueExpression: Invalid value: "1": must evaluate to one of [string null_type]',
    ]),
    (policy(auditAnnotations=[{"key": "a", "valueExpression": "'a'"}, {"key": "a", "valueExpression": " "}]), [
        "spec.auditAnnotations[1].valueExpression: Required value: valueExpression is not specified",
        'spec.auditAnnotations[1].key: Duplicate value: "a"',
    ]),
    (policy(auditAnnotations=[{"key": "a", "valueExpression": f"'{'x' * 5119}'"}]), [
        "spec.auditAnnotations[0].valueExpression: Required value: must not exceed 5120 bytes in length"
    ]),
    (policy(auditAnnotations=[{"key": "a", "valueExpression": "authorizer.path('/').check('get').reason()"}]), []),
]  # fmt: skip


@pytest.mark.parametrize(("obj", "expected"), POLICIES)
def test_a_validating_policy_is_refused_for(obj: dict[str, Any], expected: list[str]) -> None:
    assert problems(validatingadmissionpolicies.KIND, obj) == expected


def test_a_warning_about_an_expression_says_what_and_where() -> None:
    status = {"typeChecking": {"expressionWarnings": [{"warning": "", "fieldRef": " "}]}}
    found = validatingadmissionpolicies.KIND.validate_status({"status": status}, {})
    where = "status.typeChecking.expressionWarnings[0]"
    assert [str(error) for error in found] == [
        f"{where}.{field}: Required value" for field in ("warning", "fieldRef")
    ]


PATCH = "[JSONPatch{op: 'remove', path: '/data'}]"
MUTATION = {"patchType": "JSONPatch", "jsonPatch": {"expression": PATCH}}
FIRST = "spec.mutations[0]"
MUTATING: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({"reinvocationPolicy": None}, ["spec.reinvocationPolicy: Required value"]),
    ({"reinvocationPolicy": "Other"}, [
        'spec.reinvocationPolicy: Unsupported value: "Other": supported values: "IfNeeded", "Never"'
    ]),
    ({"matchConstraints": rules(operations=["DELETE"])}, [
        'spec.matchConstraints.resourceRules.operations: Unsupported value: "DELETE": '
        'supported values: "*", "CONNECT", "CREATE", "UPDATE"'
    ]),
    ({"mutations": None}, ["spec.mutations: Required value: mutations must contain at least one item"]),
    ({"mutations": [{}]}, [f"{FIRST}.patchType: Required value"]),
    ({"mutations": [{"patchType": "Other"}]}, [
        f'{FIRST}.patchType: Unsupported value: "Other": supported values: "ApplyConfiguration", "JSONPatch"'
    ]),
    ({"mutations": [{**MUTATION, "applyConfiguration": {"expression": "Object{}"}}]}, [
        f'{FIRST}.applyConfiguration: Invalid value: "{{applyConfiguration}}": '
        "must not be specified when patchType is JSONPatch"
    ]),
    ({"mutations": [{"patchType": "ApplyConfiguration"}]}, [
        f"{FIRST}.applyConfiguration: Required value: must be specified when patchType is ApplyConfiguration"
    ]),
    ({"mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": ""}}]}, [
        f"{FIRST}.jsonPatch.expression: Required value"
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), MUTATING)
def test_a_mutating_policy_is_refused_for(changes: dict[str, Any], expected: list[str]) -> None:
    whole = {"validations": None, "mutations": [MUTATION], "reinvocationPolicy": "Never", **changes}
    assert problems(mutatingadmissionpolicies.KIND, policy(**whole)) == expected


REFERENCE = {"name": "p", "parameterNotFoundAction": "Deny"}
ACTION = "spec.validationActions"
BINDINGS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({"policyName": ""}, ["spec.policyName: Required value"]),
    ({"policyName": "xyz!123"}, [f'spec.policyName: Invalid value: "xyz!123": {SUBDOMAIN}']),
    ({"paramRef": {"name": "p"}}, ["spec.paramRef.parameterNotFoundAction: Required value"]),
    ({"paramRef": {**REFERENCE, "parameterNotFoundAction": "Other"}}, [
        'spec.paramRef.parameterNotFoundAction: Unsupported value: "Other": supported values: "Deny", "Allow"'
    ]),
    ({"paramRef": {**REFERENCE, "name": "a/b"}}, [
        'spec.paramRef.name: Invalid value: "a/b": may not contain \'/\''
    ]),
    ({"paramRef": {**REFERENCE, "selector": {}}}, [
        "spec.paramRef.name: Forbidden: name and selector are mutually exclusive",
        "spec.paramRef.selector: Forbidden: name and selector are mutually exclusive",
    ]),
    ({"paramRef": {"parameterNotFoundAction": "Allow"}}, [
        "spec.paramRef: Required value: one of name or selector must be specified"
    ]),
    ({"matchResources": {"matchPolicy": "Other"}}, [
        'spec.matchResources.matchPolicy: Unsupported value: "Other": supported values: "Equivalent", "Exact"'
    ]),
    ({"validationActions": []}, [f"{ACTION}: Required value: at least one validation action is required"]),
    ({"validationActions": ["Deny", "Deny"]}, [f'{ACTION}[1]: Duplicate value: "Deny"']),
    ({"validationActions": ["Deny", "Warn"]}, [
        f'{ACTION}: Invalid value: ["Deny","Warn"]: must not contain both Deny and Warn (repeating the same '
        "validation failure information in the API response and headers serves no purpose)"
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), BINDINGS)
def test_a_binding_is_refused_for(changes: dict[str, Any], expected: list[str]) -> None:
    spec = {"policyName": "p", "validationActions": ["Deny"], **changes}
    assert problems(validatingadmissionpolicybindings.KIND, {"spec": spec}) == expected
    if "validationActions" not in changes:
        assert problems(mutatingadmissionpolicybindings.KIND, {"spec": spec}) == expected


def test_a_binding_of_a_mutating_policy_is_about_no_deletions() -> None:
    spec = {"policyName": "p", "matchResources": rules(operations=["DELETE"])}
    assert problems(mutatingadmissionpolicybindings.KIND, {"spec": spec}) == [
        'spec.matchResources.resourceRules.operations: Unsupported value: "DELETE": '
        'supported values: "*", "CONNECT", "CREATE", "UPDATE"'
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a:b", ""),
        ("1:b", "first path segment in URL cannot contain colon"),
        (":b", "missing protocol scheme"),
        ("https://a b/", 'invalid character " " in host name'),
        ("https://[::1/", "missing ']' in host"),
        ("https://h/%zz", 'invalid URL escape "%zz"'),
        ("https://%41/", 'invalid URL escape "%41"'),
        ("https://h/\x7f", "net/url: invalid control character in URL"),
        ("https://a^b@h/", "net/url: invalid userinfo"),
    ],
)
def test_a_url_is_taken_apart_as_in_go(text: str, problem: str) -> None:
    if not problem:
        assert urls.parse(text).scheme == "a"
        return
    with pytest.raises(ValueError) as raised:
        urls.parse(text)
    assert str(raised.value) == problem
