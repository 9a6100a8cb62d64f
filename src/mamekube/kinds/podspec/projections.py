"""Volumes whose files the kubelet writes: of Secrets, ConfigMaps, the pod itself, tokens and certificates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mamekube.kinds import selectors
from mamekube.kinds.certificates import signers
from mamekube.kinds.fields import Found, check_relative
from mamekube.kinds.podspec.environment import VOLUME_FIELDS, validate_field, validate_resource_field
from mamekube.objects import names
from mamekube.objects.fielderrors import Struct, forbidden, invalid, not_supported, required

FILE_MODE_MAX = 0o777
FILE_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
TOKEN_S_MIN = 600
TOKEN_S_MAX = 1 << 32
CERTIFICATE_S_MIN = 3600
CERTIFICATE_S_MAX = 91 * 24 * 3600
OWN_CERTIFICATE_S_MAX = 24 * 3600
"""Of signers in Kubernetes' own domain."""
KEY_TYPES = ("RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519")

_CERTIFICATE_PATHS = ("credentialBundlePath", "keyPath", "certificateChainPath")


def validate_files(source: Mapping[str, Any], path: str, found: Found) -> None:
    """Keys of a Secret or ConfigMap that become files."""
    _mode(source, "defaultMode", path, found)
    for index, item in enumerate(source.get("items") or ()):
        _key_item(item, f"{path}.items[{index}]", found)


def _mode(section: Mapping[str, Any], field: str, path: str, found: Found) -> None:
    mode = section.get(field)
    if mode is not None and not 0 <= mode <= FILE_MODE_MAX:
        found.append(invalid(f"{path}.{field}", mode, FILE_MODE))


def _file_path(item: Mapping[str, Any], path: str, found: Found) -> None:
    target = item.get("path")
    if not target:
        found.append(required(f"{path}.path"))
    else:
        _own_path(target, f"{path}.path", found)


def _own_path(target: str, path: str, found: Found) -> None:
    """A path that stays below where it starts and is none of the kubelet's own."""
    check_relative(target, path, found)
    if target.startswith("..") and not target.startswith("../"):
        found.append(invalid(path, target, "must not start with '..'"))


def validate_downward(source: Mapping[str, Any], path: str, found: Found) -> None:
    _mode(source, "defaultMode", path, found)
    for item in source.get("items") or ():
        _downward_item(item, path, found)


def _downward_item(item: Mapping[str, Any], path: str, found: Found) -> None:
    _file_path(item, path, found)
    field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
    if field is not None:
        validate_field(field, f"{path}.fieldRef", VOLUME_FIELDS, found)
        if resource is not None:
            detail = "fieldRef and resourceFieldRef can not be specified simultaneously"
            found.append(invalid(path, "resource", detail))
    elif resource is not None:
        validate_resource_field(resource, f"{path}.resourceFieldRef", found, volume=True)
    else:
        found.append(required(path, "one of fieldRef and resourceFieldRef is required"))
    _mode(item, "mode", path, found)


def validate(source: Mapping[str, Any], path: str, found: Found) -> None:
    """A `projected` volume: files of several sources in one folder, none twice."""
    _mode(source, "defaultMode", path, found)
    taken: set[str] = set()
    for index, part in enumerate(source.get("sources") or ()):
        part_path = f"{path}.sources[{index}]"
        for field in ("secret", "configMap"):
            if part.get(field) is not None:
                if not part[field].get("name"):
                    found.append(required(f"{part_path}.{field}.name"))
                for item_index, item in enumerate(part[field].get("items") or ()):
                    _key_item(item, f"{part_path}.{field}.items[{item_index}]", found)
                    _take(item.get("path"), taken, path, found, shown=part[field].get("name") or "")
        for item in (part.get("downwardAPI") or {}).get("items") or ():
            _downward_item(item, f"{part_path}.downwardAPI", found)
            _take(item.get("path"), taken, path, found)
        if part.get("serviceAccountToken") is not None:
            _token(part["serviceAccountToken"], path, part_path, found)
        if part.get("clusterTrustBundle") is not None:
            bundle = part["clusterTrustBundle"]
            _trust_bundle(bundle, f"{part_path}.clusterTrustBundle", found)
            _take(bundle.get("path") or "", taken, path, found, empty=True)
        if part.get("podCertificate") is not None:
            _certificate(part["podCertificate"], path, f"{part_path}.podCertificate", taken, found)
        if sum(value is not None for value in part.values()) > 1:
            found.append(forbidden(part_path, "may not specify more than 1 volume type per source"))


def _key_item(item: Mapping[str, Any], path: str, found: Found) -> None:
    if not item.get("key"):
        found.append(required(f"{path}.key"))
    _file_path(item, path, found)
    _mode(item, "mode", path, found)


def _take(
    target: str | None,
    taken: set[str],
    path: str,
    found: Found,
    *,
    shown: str | None = None,
    empty: bool = False,
) -> None:
    if target is None or not (target or empty):
        return
    if target in taken:
        found.append(invalid(path, target if shown is None else shown, "conflicting duplicate paths"))
    taken.add(target)


def _token(source: Mapping[str, Any], path: str, part_path: str, found: Found) -> None:
    seconds, seconds_path = (
        source.get("expirationSeconds"),
        f"{part_path}.serviceAccountToken.expirationSeconds",
    )
    if seconds is not None and seconds < TOKEN_S_MIN:
        found.append(invalid(seconds_path, seconds, "may not specify a duration less than 10 minutes"))
    elif seconds is not None and seconds > TOKEN_S_MAX:
        found.append(invalid(seconds_path, seconds, "may not specify a duration larger than 2^32 seconds"))
    # Upstream names the path of the volume and not of its source here.
    _file_path(source, path, found)


def _trust_bundle(source: Mapping[str, Any], path: str, found: Found) -> None:
    name, signer, selector = source.get("name"), source.get("signerName"), source.get("labelSelector")
    if name is not None and signer is not None:
        shown = Struct(
            Name=name,
            SignerName=signer,
            LabelSelector=selector,
            Optional=source.get("optional"),
            Path=source.get("path") or "",
        )
        found.append(invalid(path, shown, "only one of name and signerName may be used"))
    elif name is not None:
        if not name:
            found.append(required(f"{path}.name", "must be a valid object name"))
        for message in _bundle_messages(name):
            found.append(invalid(f"{path}.name", name, f"not a valid clustertrustbundlename: {message}"))
        if selector is not None:
            detail = "labelSelector must be unset if name is specified"
            found.append(invalid(f"{path}.labelSelector", selector, detail))
    elif signer is not None:
        if not signer:
            found.append(required(f"{path}.signerName", "must be a valid signer name"))
        signers.validate(signer, f"{path}.signerName", found)
        selectors.validate(selector, f"{path}.labelSelector", found)
    else:
        found.append(required(path, "either name or signerName must be specified"))
    _file_path(source, path, found)


def _bundle_messages(name: str) -> list[str]:
    """`example.com:signer:name` belongs to a signer, any other name to nobody."""
    return names.dns1123_subdomain(name.rpartition(":")[2])


def _certificate(source: Mapping[str, Any], path: str, part_path: str, taken: set[str], found: Found) -> None:
    signer, key, seconds = (
        source.get("signerName") or "",
        source.get("keyType") or "",
        source.get("maxExpirationSeconds"),
    )
    signers.validate(signer, f"{part_path}.signerName", found)
    if key not in KEY_TYPES:
        found.append(not_supported(f"{part_path}.keyType", key, KEY_TYPES))
    if seconds is not None:
        own = f".{signer.partition('/')[0]}".endswith(".kubernetes.io")
        most = OWN_CERTIFICATE_S_MAX if own else CERTIFICATE_S_MAX
        seconds_path = f"{part_path}.maxExpirationSeconds"
        if seconds < CERTIFICATE_S_MIN:
            detail = f"if provided, maxExpirationSeconds must be >= {CERTIFICATE_S_MIN}"
            found.append(invalid(seconds_path, seconds, detail))
        if seconds > most:
            detail = f"if provided, maxExpirationSeconds must be <= {most}"
            found.append(invalid(seconds_path, seconds, detail))
    given = [field for field in _CERTIFICATE_PATHS if source.get(field)]
    for field in given:
        _own_path(source[field], f"{part_path}.{field}", found)
        _take(source[field], taken, path, found)
    if not given:
        detail = "specify at least one of credentialBundlePath, keyPath, and certificateChainPath"
        found.append(required(part_path, detail))
