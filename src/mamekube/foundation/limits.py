"""Every limit of the product, each with its reason. Where upstream has the limit, the value is upstream's."""

from __future__ import annotations

BODY_BYTES_MAX = 3 * 1024 * 1024
"""A request body. Upstream: 3 MiB, twice etcd's request limit."""

BODY_DEPTH_MAX = 10_000
"""Nesting of JSON or YAML in a body. Upstream's decoder refuses deeper ones."""

JSON_PATCH_OPERATIONS_MAX = 10_000
"""Operations in one JSON patch. Upstream refuses more."""

WATCH_EVENTS_PENDING_MAX = 1_000
"""Events waiting for one slow watcher before it is dropped: memory stays bounded, and it may list again."""

HISTORY_EVENTS_MAX = 10_000
"""Changes kept in memory to start watches from; older revisions are answered 410 Expired."""

HISTORY_BYTES_MAX = 16 * 1024 * 1024
"""Values those changes may hold together: with large objects memory ends the history sooner than their number."""

COMPACTION_PERIOD_S = 300.0
"""History on disk is kept for one to two of these. Upstream: --etcd-compaction-interval, five minutes."""

EVENTS_TTL_S = 3600
"""How long an Event object lives. Upstream: --event-ttl, one hour."""

REQUEST_TIMEOUT_S = 60.0
"""A request that is not a watch or a stream. Upstream: --request-timeout."""

CLIENT_CONNECTIONS_MAX = 1_000
"""Connections of one client: each watch and each log that is followed takes one for itself."""

EVENTS_QUEUED_MAX = 5_000
"""Events of one recorder that wait to be written: more are dropped. Five for each pod of a burst of a thousand."""

EVENTS_WRITTEN_AT_ONCE = 16
"""Event writes of one recorder under way: enough to share the store's commits."""

WATCH_TIMEOUT_MIN_S = 1800
"""A watch without timeoutSeconds lasts this long to twice this long. Upstream: --min-request-timeout."""

CONTROLLER_WORKERS = 5
"""Keys one controller works on at a time. Upstream: --concurrent-*-syncs."""

CREATE_BURST_MAX = 500
"""Pods a ReplicaSet or Job creates or deletes in one pass. Upstream: BurstReplicas."""
