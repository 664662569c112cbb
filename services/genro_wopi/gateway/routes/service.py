"""What the routes share: the ports of the gateway and how this process is configured."""

from collections.abc import Sequence

import msgspec

from genro_wopi.adapters.session_service import SessionServiceClient
from genro_wopi.adapters.spool import Spool
from genro_wopi.domain.console import ConsoleVisits
from genro_wopi.domain.secrets import Secret
from genro_wopi.gateway.operations.office import Office
from genro_wopi.gateway.routes.journal import Journal
from genro_wopi.web.client_address import Network
from genro_wopi.web.server import Readiness


class GatewayService(msgspec.Struct, frozen=True, kw_only=True):
    """One running gateway."""

    office: Office
    sessions: SessionServiceClient
    spool: Spool
    readiness: Readiness
    admin_token: Secret
    file_bytes_max: int
    public_url: str
    version: str
    visits: ConsoleVisits
    trusted_proxies: Sequence[Network]
    """Whose word counts on who the client is."""
    journal: Journal
