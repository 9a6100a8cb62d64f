"""What owner references are refused for, in upstream's words."""

from typing import Any

from mamekube.objects import metadata_parts


def told(*owners: dict[str, Any]) -> list[str]:
    return [str(error) for error in metadata_parts.validate({"ownerReferences": list(owners)})]


def owner(name: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": f"u-{name}", **fields}


def test_the_paths_do_not_tell_which_owner_it_is() -> None:
    assert told({}) == [
        'metadata.ownerReferences.apiVersion: Invalid value: "": version must not be empty',
        *(
            f'metadata.ownerReferences.{field}: Invalid value: "": must not be empty'
            for field in ("kind", "name", "uid")
        ),
    ]
    for version in ("apps/", "a/b/c"):
        (error,) = told(owner("a", apiVersion=version))
        assert error.endswith(f'apiVersion: Invalid value: "{version}": version must not be empty')


def test_an_event_of_the_core_owns_nothing() -> None:
    (error,) = told(owner("e", apiVersion="v1", kind="Event"))
    assert error.endswith(": /v1, Kind=Event is disallowed from being an owner")
    assert told(owner("e", apiVersion="events.k8s.io/v1", kind="Event")) == []


def test_the_first_controller_is_named_with_each_other() -> None:
    first, second, third = (owner(name, controller=True) for name in "abc")
    assert told(first, owner("x"), owner("y", controller=False)) == []
    second_error, third_error = told(first, second, third)
    said = (
        'Only one reference can have Controller set to true. Found "true" in references for Deployment/a and '
    )
    assert second_error.endswith(f"{said}Deployment/b")
    assert third_error.endswith(f"{said}Deployment/c")
    assert second_error.startswith('metadata.ownerReferences: Invalid value: [{"apiVersion":"apps/v1",')


def test_of_very_many_controllers_a_few_are_told() -> None:
    errors = told(*(owner(f"o{number}", controller=True) for number in range(5_000)))
    assert len(errors) == metadata_parts.CONTROLLERS_TOLD_MAX
