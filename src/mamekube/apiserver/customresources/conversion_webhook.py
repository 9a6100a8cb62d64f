"""Strategy `Webhook`: custom resources are converted by outside code, which gets a ConversionReview.

The webhook is not trusted: it has to bring as many objects as it got, of the version that was asked for, and may
change nothing in their metadata but labels and annotations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mamekube.apiserver.objectmeta import make_uid
from mamekube.apiserver.resources import fresh
from mamekube.apiserver.webhook_client import CallError, WebhookClient
from mamekube.objects.meta import Object, metadata
from mamekube.objects.status import StatusError

TIMEOUT_S = 30.0
GROUP = "apiextensions.k8s.io"
SUPPORTED = ("v1", "v1beta1")
IDENTITY = ("kind", "name", "namespace", "uid")


class ConversionWebhook:
    """A `conversion.Converter`."""

    def __init__(self, webhook: Mapping[str, Any], client: WebhookClient) -> None:
        self._config: Mapping[str, Any] = webhook.get("clientConfig") or {}
        self._versions: Sequence[str] = webhook.get("conversionReviewVersions") or ()
        self._client = client

    async def __call__(self, objects: Sequence[Object], api_version: str) -> list[Object]:
        """Raises StatusError (500) with upstream's words."""
        foreign = [obj for obj in objects if obj["apiVersion"] != api_version]
        if not foreign:
            return list(objects)
        subject = _subject(foreign)
        converted = await self._ask(foreign, api_version, subject)
        if len(converted) != len(foreign):
            raise failed(
                f"conversion webhook for {subject} returned {len(converted)} objects, expected {len(foreign)}"
            )
        accepted = iter(
            [
                _accepted(original, answer, api_version, f"conversion webhook for {subject} returned", index)
                for index, (original, answer) in enumerate(zip(foreign, converted, strict=True))
            ]
        )
        return [obj if obj["apiVersion"] == api_version else next(accepted) for obj in objects]

    async def _ask(self, objects: Sequence[Object], api_version: str, subject: str) -> list[Any]:
        review = next((version for version in self._versions if version in SUPPORTED), None)
        if review is None:
            raise failed("no supported conversion review versions")
        uid = make_uid()
        body = {
            "kind": "ConversionReview",
            "apiVersion": f"{GROUP}/{review}",
            "request": {"uid": uid, "desiredAPIVersion": api_version, "objects": list(objects)},
        }
        try:
            answer = await self._client.post(self._config, body, timeout_s=TIMEOUT_S)
            return _converted(answer, uid, strict=review == "v1")
        except CallError as error:
            raise failed(f"conversion webhook for {subject} failed: {error}") from None


def failed(message: str) -> StatusError:
    return StatusError(500, "", message)


def _subject(objects: Sequence[Object]) -> str:
    return f"{objects[0]['apiVersion']}, Kind={objects[0]['kind']}"


def _converted(answer: Any, uid: str, *, strict: bool) -> list[Any]:
    """The objects in the webhook's answer. Raises CallError."""
    if not isinstance(answer, dict):
        raise CallError("no response provided")
    if strict:
        group, _, version = str(answer.get("apiVersion") or "").rpartition("/")
        found = f"{group}/{version}, Kind={answer.get('kind') or ''}"
        wanted = f"{GROUP}/v1, Kind=ConversionReview"
        if found != wanted:
            raise CallError(f"expected webhook response of {wanted}, got {found}")
    response = answer.get("response")
    if not isinstance(response, dict):
        raise CallError("no response provided")
    if strict and response.get("uid") != uid:
        raise CallError(f'expected response.uid="{uid}", got "{response.get("uid") or ""}"')
    result = response.get("result") or {}
    if result.get("status") != "Success":
        said = result.get("message")
        raise CallError(said or f"response.result.status was '{result.get('status') or ''}', not 'Success'")
    return list(response.get("convertedObjects") or ())


def _accepted(original: Object, answer: Any, api_version: str, who: str, index: int) -> Object:
    """The converted object with the metadata that it has to keep. Raises StatusError."""
    where = f"{who} invalid object at index {index}"
    if not isinstance(answer, dict):
        raise failed(f"{where}: not an object")
    found = answer.get("apiVersion") or ""
    if found != api_version:
        raise failed(f"{where}: invalid groupVersion (expected {api_version}, received {found})")
    if answer.get("kind") != original["kind"]:
        raise failed(
            f"{where}: invalid kind (expected {original['kind']}, received {answer.get('kind') or ''})"
        )
    before, after = metadata(original), answer.get("metadata")
    if not isinstance(after, dict):
        raise failed(
            f"{who} invalid metadata in object at index {index}: invalid metadata of type {type(after)}"
        )
    for key in IDENTITY[1:]:
        was, now = before.get(key) or "", after.get(key) or ""
        if was != now:
            word = "UID" if key == "uid" else key
            raise failed(f"{who} invalid object: must have the same {word}: {was} != {now}")
    meta = fresh(before)
    for key in ("labels", "annotations"):
        meta.pop(key, None)
        if after.get(key):
            meta[key] = after[key]
    return {**answer, "metadata": meta}
