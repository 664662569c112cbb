"""What the routes share: the host's ports and the limits of this process."""

import msgspec

from genro_wopi.adapters.spool import Spool
from genro_wopi.domain.secrets import Secret
from genro_wopi.domain.timeline import Timeline
from genro_wopi.web.server import Readiness
from genro_wopi.wopi_service.operations.host import Host
from genro_wopi.wopi_service.operations.unsettled import Unsettled


class WopiService(msgspec.Struct, frozen=True, kw_only=True):
    """One running wopi-service."""

    host: Host
    spool: Spool
    unsettled: Unsettled
    timeline: Timeline
    file_bytes_max: int
    readiness: Readiness
    internal_token: Secret
    slow_request_seconds: float
    log_sample: int
    """Of so many requests that only read, one has a log line."""
