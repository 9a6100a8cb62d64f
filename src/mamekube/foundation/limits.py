"""Limits that users meet or rooms share, each with its reason: upstream's where upstream has one and nothing is said.

A limit that concerns one file stands there.
"""

from __future__ import annotations

BODY_BYTES_MAX = 3 * 1024 * 1024
"""A request body. Upstream: 3 MiB, twice etcd's request limit."""

BODY_DEPTH_MAX = 500
"""Nesting of JSON or YAML in a body: far deeper than any real object, and shallow enough for every recursive walk on
Python's stack. Upstream's decoder refuses from 10,000 on."""

BODY_VALUES_MAX = 400_000
"""Values in a body, so that small bodies of many empty ones stay cheap: no object that etcd would keep has as many."""

HEAVY_BYTES = 16 * 1024
"""A larger body, or a change of a larger object, is worked on beside the event loop: reading and checking cost one to
two microseconds a byte at worst."""

JSON_PATCH_OPERATIONS_MAX = 10_000
"""Operations in one JSON patch. Upstream refuses more."""

WATCH_EVENTS_PENDING_MAX = 1_000
"""Events waiting for one slow watcher before it is dropped: memory stays bounded, and it may list again."""

HISTORY_EVENTS_MAX = 10_000
"""Changes kept in memory to start watches from, and to list the past; older ones are read from the backend."""

HISTORY_BYTES_MAX = 16 * 1024 * 1024
"""Values those changes may hold together: with large objects memory ends the history sooner than their number."""

COMPACTION_PERIOD_S = 285.0
"""History on disk is kept for one to two of these. Upstream: --etcd-compaction-interval, five minutes; a little less
here, since upstream's suite waits for two of its periods, and no longer, until a continue token has expired."""

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

REQUEST_HEAD_BYTES_MAX = 1024 * 1024
"""Request line and headers. Upstream: http.Server.MaxHeaderBytes, 1 MiB."""

REQUEST_HEADERS_MAX = 4_096
"""Headers of one request: several for each group that a front proxy names, and few enough to look through."""

REQUEST_HEAD_TIMEOUT_S = 32.0
"""From its first byte until the head of a request is complete. Upstream: http.Server.ReadHeaderTimeout."""

CONNECTION_IDLE_TIMEOUT_S = 90.0
"""A connection without a request. Upstream: http.Server.IdleTimeout."""

BODY_BYTES_PENDING_MAX = 256 * 1024
"""Of a body that nobody reads yet: then the client waits, and not the server's memory for it."""

CHUNK_FRAMING_BYTES_MAX = 64 * 1024
"""What may stand around the chunks of a body, beyond what chunks of one byte need: extensions, trailers."""

CONNECTION_LINGER_S = 0.5
"""After the last answer, for a client that is still sending: hung up on at once, it might not get to read it.
Go's net/http waits as long."""

STOP_GRACE_S = 0.1
"""For requests under way when the API server stops."""
