"""Every setting, in one table: `SETTINGS`.

How it is read from the environment says `genro_wopi.runtime.setting_loading`.
"""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Final

import msgspec

from genro_wopi.domain.identifiers import PARTITIONS_MAX
from genro_wopi.domain.secrets import Secret
from genro_wopi.runtime.setting import Service, Setting
from genro_wopi.runtime.setting_values import (
    number,
    one_of,
    read_keys,
    read_networks,
    read_optional_url,
    read_paths,
    read_proxy,
    read_redis_url,
    read_routes,
    read_seconds,
    read_token,
    read_url,
    read_urls,
    read_words,
    some_of,
)
from genro_wopi.runtime.share_settings import SHARES

SINK_WEBHOOK: Final = "webhook"
SINK_STREAM: Final = "redis-stream"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The values for one process; secrets do not print."""

    service: Service
    redis_url: Secret
    host: str
    port: int
    metrics_port: int
    admin_token: Secret
    internal_token: Secret
    public_url: str
    src_url: str
    session_service_url: str
    wopi_service_urls: tuple[str, ...]
    gateway_routes: tuple[tuple[str, str], ...]
    encryption_keys: tuple[tuple[str, bytes], ...]
    signing_keys: tuple[tuple[str, bytes], ...]
    verify_keys: tuple[tuple[str, bytes], ...]
    local_roots: tuple[Path, ...]
    callback_allow: tuple[str, ...]
    storage_allow: tuple[str, ...]
    editor_allow: tuple[str, ...]
    spool_dir: Path
    spool_bytes_max: int
    unsettled_bytes_max: int
    unsettled_hours: int
    patience_seconds: int
    body_pause_seconds: int
    body_bytes_per_second_min: int
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    file_bytes_max: int
    api_rate_per_second: int
    activity_bytes_per_minute: int
    sessions_per_minute: int
    sessions_max: int
    event_partitions: int
    lock_ttl_seconds: int
    recovery_days: int
    deleted_days: int
    audit_days: int
    drain_seconds: int
    callback_retry_seconds: tuple[int, ...]
    callback_proxy: Secret
    event_backlog_max: int
    dead_letter_days: int
    event_sinks: tuple[str, ...]
    slow_request_seconds: int
    timeline_hours: int
    log_sample: int
    log_format: str
    log_level: str


_PORT_MAX: Final = 65_535
_KEY_EXAMPLE: Final = "k1:<output of genro-wopi keys>"

_G: Final = frozenset({Service.GATEWAY})
_S: Final = frozenset({Service.SESSION})
_W: Final = frozenset({Service.WOPI})
_C: Final = frozenset({Service.CALLBACK})
_HTTP: Final = _G | _S | _W

SETTINGS: Final = (
    Setting(
        name="redis_url",
        parse=read_redis_url,
        kind="URL",
        help="Redis 6.2 or Valkey with persistence (AOF) and maxmemory-policy noeviction;"
        " behind Sentinels redis+sentinel://host:26379,host:26379/service/0; a Redis Cluster"
        " redis+cluster://host:6379,host:6379.",
        example="redis://redis:6379/0",
        is_secret=True,
    ),
    Setting(
        name="host",
        parse=str,
        kind="address",
        help="Address to listen at.",
        example="0.0.0.0",  # noqa: S104 - an example
        default="127.0.0.1",
        services=_HTTP,
    ),
    Setting(
        name="port",
        parse=number(1, _PORT_MAX),
        kind="port",
        help="Port to listen at.",
        example="8080",
        default="8080",
        services=_HTTP,
    ),
    Setting(
        name="metrics_port",
        parse=number(0, _PORT_MAX),
        kind="port",
        help="Port of /metrics for Prometheus; 0 for none.",
        example="9100",
        default="9100",
    ),
    Setting(
        name="admin_token",
        parse=read_token,
        kind="secret",
        help="Token of the operator for the management API.",
        example="$(openssl rand -hex 32)",
        services=_G,
        is_secret=True,
    ),
    Setting(
        name="internal_token",
        parse=read_token,
        kind="secret",
        help="Token by which gateway and wopi-service show themselves to the session-service.",
        example="$(openssl rand -hex 32)",
        services=_HTTP,
        is_secret=True,
    ),
    Setting(
        name="public_url",
        parse=read_url,
        kind="URL",
        help="How browsers reach the gateway.",
        example="https://wopi.example.org",
        services=_HTTP,
    ),
    Setting(
        name="src_url",
        parse=read_optional_url,
        kind="URL",
        help="How editors reach this host; WOPI_PUBLIC_URL where it is empty.",
        example="http://wopi.internal:8080",
        default="",
        services=_HTTP,
    ),
    Setting(
        name="session_service_url",
        parse=read_url,
        kind="URL",
        help="How gateway and wopi-service reach the session-service.",
        example="http://session-service:8080",
        services=_G | _W,
    ),
    Setting(
        name="wopi_service_urls",
        parse=read_urls,
        kind="list of URLs",
        help="wopi-services that the gateway forwards /wopi to; empty where an ingress does it.",
        example="http://wopi-service:8080",
        default="",
        services=_G,
    ),
    Setting(
        name="gateway_routes",
        parse=read_routes,
        kind="list of prefix=URL",
        help="Further paths to forward; the local cluster shows its editor and demo so.",
        example="/demo=http://127.0.0.1:9001",
        default="",
        services=_G,
    ),
    Setting(
        name="encryption_keys",
        parse=read_keys,
        kind="list of kid:key",
        help="Keys for secret fields; the first encrypts, all decrypt.",
        example=_KEY_EXAMPLE,
        is_secret=True,
    ),
    Setting(
        name="signing_keys",
        parse=read_keys,
        kind="list of kid:key",
        help="Ed25519 private keys for access tokens; the first signs.",
        example=_KEY_EXAMPLE,
        services=_S,
        is_secret=True,
    ),
    Setting(
        name="verify_keys",
        parse=read_keys,
        kind="list of kid:key",
        help="Ed25519 public keys that access tokens are checked with.",
        example=_KEY_EXAMPLE,
        services=_W,
    ),
    Setting(
        name="local_roots",
        parse=read_paths,
        kind="paths, separated by ':'",
        help="Folders in which storages of protocol local may lie; none where empty.",
        example="/srv/documents",
        default="",
        services=_HTTP | _C,
    ),
    Setting(
        name="callback_allow",
        parse=read_words,
        kind="list",
        help="Non-public addresses that callbacks may go to: CIDR, host, loopback, private, any.",
        example="10.1.0.0/16,app.internal",
        default="",
        services=_G | _C,
    ),
    Setting(
        name="storage_allow",
        parse=read_words,
        kind="list",
        help="Non-public addresses at which storages may lie, written as in WOPI_CALLBACK_ALLOW.",
        example="minio.internal",
        default="",
        services=_HTTP | _C,
    ),
    Setting(
        name="editor_allow",
        parse=read_words,
        kind="list",
        help="Non-public addresses at which editors may run, written as in WOPI_CALLBACK_ALLOW.",
        example="collabora.internal",
        default="",
        services=_HTTP,
    ),
    Setting(
        name="spool_dir",
        parse=Path,
        kind="path",
        help="Where bodies wait until they are whole; on the storage's disk it saves a copy.",
        example="/var/spool/genro-wopi",
        default="/tmp",  # noqa: S108 - files in it are created with mkstemp
        services=_G | _W,
    ),
    Setting(
        name="spool_bytes_max",
        parse=number(1, 2**50),
        kind="bytes",
        help="How much disk the spool may use; one tenant's half. At least twice the largest file.",
        example="10737418240",
        default="10737418240",
        services=_G | _W,
    ),
    Setting(
        name="unsettled_bytes_max",
        parse=number(0, 2**50),
        kind="bytes",
        help="How much disk saves may take that wait for Redis or a storage; one tenant's half.",
        example="4294967296",
        default="4294967296",
        services=_W,
    ),
    Setting(
        name="unsettled_hours",
        parse=number(1, 8760),
        kind="hours",
        help="How long such a save is kept at most.",
        example="168",
        default="168",
        services=_W,
    ),
    Setting(
        name="patience_seconds",
        parse=number(1, 60),
        kind="seconds",
        help="How long an editor's request waits for what is away; most editors give up at 30.",
        example="25",
        default="25",
        services=_G | _W,
    ),
    Setting(
        name="body_pause_seconds",
        parse=number(1, 600),
        kind="seconds",
        help="How long a client may pause in the middle of a body.",
        example="30",
        default="30",
        services=_HTTP,
    ),
    Setting(
        name="body_bytes_per_second_min",
        parse=number(0, 2**30),
        kind="bytes",
        help="The least rate of a body, in the mean, after its first ten seconds; 0: any.",
        example="1024",
        default="1024",
        services=_HTTP,
    ),
    Setting(
        name="trusted_proxies",
        parse=read_networks,
        kind="list of CIDR",
        help="Proxies whose X-Forwarded-For says who the client is, for shares and limits.",
        example="10.0.0.0/8",
        default="",
        services=_HTTP,
    ),
    Setting(
        name="file_bytes_max",
        parse=number(1, 5 * 2**30),
        kind="bytes",
        help="The largest file that is accepted.",
        example="2147483648",
        default="2147483648",
        services=_G | _W,
    ),
    *SHARES,
    Setting(
        name="event_partitions",
        parse=number(1, PARTITIONS_MAX),
        kind="number",
        help="Partitions among which new files and their events are spread; may change.",
        example="16",
        default="16",
    ),
    Setting(
        name="lock_ttl_seconds",
        parse=number(1, 86_400),
        kind="seconds",
        help="Life of a lock without a refresh; the WOPI reference says 30 minutes.",
        example="1800",
        default="1800",
        services=_W,
    ),
    Setting(
        name="recovery_days",
        parse=number(1, 36_500),
        kind="days",
        help="How long saves that were refused are kept.",
        example="30",
        default="30",
        services=_C,
    ),
    Setting(
        name="deleted_days",
        parse=number(1, 36_500),
        kind="days",
        help="How long deleted files can be taken back.",
        example="30",
        default="30",
        services=_C,
    ),
    Setting(
        name="audit_days",
        parse=number(1, 36_500),
        kind="days",
        help="How long audit records are kept; at most 100,000 of a tenant.",
        example="365",
        default="365",
        services=_C,
    ),
    Setting(
        name="drain_seconds",
        parse=number(0, 3600),
        kind="seconds",
        help="How long a stopping process finishes what is in flight.",
        example="60",
        default="60",
    ),
    Setting(
        name="callback_retry_seconds",
        parse=read_seconds,
        kind="list of seconds",
        help="Delays before a callback is tried again; after the last one it is a dead letter.",
        example="5,30,120",
        default="5,30,120,600,1800,7200,21600,43200,86400,86400",
        services=_C,
    ),
    Setting(
        name="callback_proxy",
        parse=read_proxy,
        kind="URL",
        help="HTTP proxy for callbacks to public addresses; it is asked for CONNECT.",
        example="http://proxy.internal:3128",
        default="",
        services=_G | _C,
        is_secret=True,
    ),
    Setting(
        name="event_backlog_max",
        parse=number(1, 2**31),
        kind="number",
        help="Of a tenant of which so many events wait, new ones become dead letters.",
        example="100000",
        default="100000",
        services=_C,
    ),
    Setting(
        name="dead_letter_days",
        parse=number(1, 36_500),
        kind="days",
        help="How long events that were given up can be sent again.",
        example="90",
        default="90",
        services=_C,
    ),
    Setting(
        name="event_sinks",
        parse=some_of(SINK_STREAM, SINK_WEBHOOK),
        kind="words",
        help="Where events go: webhook (the callbacks), redis-stream (one per tenant), or both.",
        example="webhook,redis-stream",
        default="webhook",
        services=_C,
    ),
    Setting(
        name="timeline_hours",
        parse=number(0, 8760),
        kind="hours",
        help="How long the timeline of a session is kept after its last entry; 0: there is none.",
        example="48",
        default="48",
        services=_S | _W,
    ),
    Setting(
        name="slow_request_seconds",
        parse=number(1, 3600),
        kind="seconds",
        help="A request that takes so long has a line in the log, whatever it is.",
        example="5",
        default="5",
        services=_G | _W,
    ),
    Setting(
        name="log_sample",
        parse=number(1, 1_000_000),
        kind="number",
        help="Of so many requests that only read, and succeed, one has a line in the log; 1: all.",
        example="100",
        default="100",
        services=_G | _W,
    ),
    Setting(
        name="log_format",
        parse=one_of("json", "console"),
        kind="json | console",
        help="How log lines are written.",
        example="json",
        default="json",
    ),
    Setting(
        name="log_level",
        parse=one_of("debug", "info", "warning", "error"),
        kind="debug | info | warning | error",
        help="The least important lines that are written.",
        example="info",
        default="info",
    ),
)
