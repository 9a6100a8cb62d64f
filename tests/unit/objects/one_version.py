"""Field ownership of objects whose managers all speak one version: nothing has to be converted."""

from __future__ import annotations

from typing import Any

from mamekube.objects.meta import Object
from mamekube.objects.patches import managed_fields


def track_update(*objects: Any, **options: Any) -> Object:
    return managed_fields.finished(managed_fields.track_update(*objects, **options))


def apply_patch(*objects: Any, **options: Any) -> Object:
    return managed_fields.finished(managed_fields.apply_patch(*objects, **options))
