"""`PriorityLevelConfiguration` of `flowcontrol.apiserver.k8s.io/v1`."""

from __future__ import annotations

from math import ceil, log2
from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found
from mamekube.kinds.flowcontrol import flowrules, mandatory
from mamekube.kinds.kind import ALL_METADATA, Column, Kind
from mamekube.objects.fielderrors import forbidden, invalid, not_supported, required
from mamekube.objects.meta import Object

CONCURRENCY_SHARES = 30

COLUMNS = (
    cells.NAME,
    Column(name="Type", field="flowcontrol.v1.PriorityLevelConfigurationSpec.type"),
    Column(
        name="NominalConcurrencyShares",
        field="flowcontrol.v1.LimitedPriorityLevelConfiguration.nominalConcurrencyShares",
    ),
    Column(name="Queues", field="flowcontrol.v1.QueuingConfiguration.queues"),
    Column(name="HandSize", field="flowcontrol.v1.QueuingConfiguration.handSize"),
    Column(name="QueueLengthLimit", field="flowcontrol.v1.QueuingConfiguration.queueLengthLimit"),
    cells.AGE,
)

_QUEUING = {"queues": 64, "handSize": 8, "queueLengthLimit": 50}


def default(level: Object) -> None:
    spec = cells.spec_of(level)
    limited = spec.get("limited")
    if limited is not None:
        _fill(limited, {"nominalConcurrencyShares": CONCURRENCY_SHARES, "lendablePercent": 0})
        queuing = (limited.get("limitResponse") or {}).get("queuing")
        if queuing is not None:
            queuing.update({field: queuing.get(field) or value for field, value in _QUEUING.items()})
    if spec.get("type") == "Exempt" and spec.get("exempt") is None:
        spec["exempt"] = {}
    if spec.get("exempt") is not None:
        _fill(spec["exempt"], {"nominalConcurrencyShares": 0, "lendablePercent": 0})


def _fill(section: dict[str, Any], values: dict[str, int]) -> None:
    for field, value in values.items():
        if section.get(field) is None:
            section[field] = value


def prepare_create(level: Object) -> None:
    level["status"] = {}


def row(level: Object, now_s: float) -> list[Any]:
    spec = cells.spec_of(level)
    limited = spec.get("limited")
    shares: Any = cells.NONE if limited is None else cells.count(limited, "nominalConcurrencyShares")
    queuing = ((limited or {}).get("limitResponse") or {}).get("queuing")
    return [
        cells.name(level),
        spec.get("type") or "",
        shares,
        *(cells.NONE if queuing is None else cells.count(queuing, field) for field in _QUEUING),
        cells.age(level, now_s),
    ]


QUEUES_MAX = 10_000_000
HASH_BITS_MAX = 60
"""A request is dealt to its queues by a hash of so many bits."""
NOT_NEGATIVE = "must be a non-negative integer"
PERCENT = "must be between 0 and 100, inclusive"


def validate(level: Object) -> Found:
    found: Found = []
    spec, name = cells.spec_of(level), cells.name(level)
    kind, limited, exempt = spec.get("type") or "", spec.get("limited"), spec.get("exempt")
    if (name == mandatory.EXEMPT) != (kind == "Exempt"):
        detail = "type must be 'Exempt' if and only if name is 'exempt'"
        found.append(invalid("spec.type", kind, detail))
    if kind == "Exempt":
        if limited is not None:
            found.append(forbidden("spec.limited", "must be nil if the type is not Limited"))
        _validate_shares(exempt or {}, "spec.exempt", found)
        _validate_lending(exempt or {}, "spec.exempt", found)
    elif kind == "Limited":
        if exempt is not None:
            found.append(forbidden("spec.exempt", "must be nil if the type is Limited"))
        if limited is None:
            found.append(required("spec.limited", "must not be empty when type is Limited"))
        else:
            _validate_limited(limited, "spec.limited", found)
    else:
        found.append(not_supported("spec.type", kind, ("Exempt", "Limited")))
    _validate_mandatory(name, spec, found)
    return found


def _validate_mandatory(name: str, spec: dict[str, Any], found: Found) -> None:
    wanted = mandatory.PRIORITY_LEVELS.get(name)
    if wanted is None:
        return
    aside = ("exempt",) if name == mandatory.EXEMPT else ()
    given, wanted = (
        {key: value for key, value in one.items() if key not in aside and value is not None}
        for one in (spec, wanted)
    )
    if given != wanted:
        but = " except the 'spec.exempt' field" if aside else ""
        found.append(invalid("spec", spec, f"spec of '{name}'{but} must equal the fixed value"))


def _validate_limited(limited: dict[str, Any], path: str, found: Found) -> None:
    _validate_shares(limited, path, found)
    response, at = limited.get("limitResponse") or {}, f"{path}.limitResponse"
    kind, queuing = response.get("type") or "", response.get("queuing")
    if kind == "Reject":
        if queuing is not None:
            detail = "must be nil if limited.limitResponse.type is not Limited"
            found.append(forbidden(f"{at}.queuing", detail))
    elif kind == "Queue":
        if queuing is None:
            detail = "must not be empty if limited.limitResponse.type is Limited"
            found.append(required(f"{at}.queuing", detail))
        else:
            _validate_queuing(queuing, f"{at}.queuing", found)
    else:
        found.append(not_supported(f"{at}.type", kind, ("Queue", "Reject")))
    _validate_lending(limited, path, found)
    borrowed = limited.get("borrowingLimitPercent")
    if borrowed is not None and borrowed < 0:
        detail = f"if specified, {NOT_NEGATIVE}"
        found.append(invalid(f"{path}.borrowingLimitPercent", borrowed, detail))


def _validate_shares(section: dict[str, Any], path: str, found: Found) -> None:
    shares = cells.count(section, "nominalConcurrencyShares")
    if shares < 0:
        found.append(invalid(f"{path}.nominalConcurrencyShares", shares, NOT_NEGATIVE))


def _validate_lending(section: dict[str, Any], path: str, found: Found) -> None:
    lent = cells.count(section, "lendablePercent")
    if not 0 <= lent <= 100:
        found.append(invalid(f"{path}.lendablePercent", lent, PERCENT))


def _validate_queuing(queuing: dict[str, Any], path: str, found: Found) -> None:
    length, queues, hand = (
        cells.count(queuing, field) for field in ("queueLengthLimit", "queues", "handSize")
    )
    if length <= 0:
        found.append(invalid(f"{path}.queueLengthLimit", length, "must be positive"))
    if queues <= 0:
        found.append(invalid(f"{path}.queues", queues, "must be positive"))
    elif queues > QUEUES_MAX:
        found.append(invalid(f"{path}.queues", queues, f"must not be greater than {QUEUES_MAX}"))
    if hand <= 0:
        found.append(invalid(f"{path}.handSize", hand, "must be positive"))
    elif hand > queues:
        detail = f"should not be greater than queues ({queues})"
        found.append(invalid(f"{path}.handSize", hand, detail))
    elif ceil(log2(queues) * hand) > HASH_BITS_MAX:
        detail = (
            f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than "
            f"{HASH_BITS_MAX}"
        )
        found.append(invalid(f"{path}.handSize", hand, detail))


def validate_status(new: Object, old: Object) -> Found:
    return flowrules.validate_conditions(new)


KIND = Kind(
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    plural="prioritylevelconfigurations",
    singular="prioritylevelconfiguration",
    kind="PriorityLevelConfiguration",
    namespaced=False,
    schema="io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration",
    has_status=True,
    status_resets=(ALL_METADATA,),
    counts_generation=True,
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    validate=validate,
    validate_status=validate_status,
)
