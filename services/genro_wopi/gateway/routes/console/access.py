"""Who may see the console: the admin token, traded for a short visit.

The browser keeps a random secret in a cookie that no script reads and no other site sends. What
changes something is a form with a token made from that secret, posted from our own pages.
"""

import hashlib
import hmac
import secrets
from typing import Any, Final
from urllib.parse import parse_qsl

from litestar import Request
from litestar.datastructures import Cookie

from genro_wopi.domain.console import FAILURES_S
from genro_wopi.domain.errors import (
    ForbiddenError,
    InvalidRequestError,
    UnauthenticatedError,
    UnavailableError,
)
from genro_wopi.gateway.routes.layout import origin_of
from genro_wopi.gateway.routes.service import GatewayService
from genro_wopi.web.streaming import read_body

PATH: Final = "/console"
FORM_FIELD: Final = "form_token"
FORM_BYTES_MAX: Final = 16 * 1024
"""The longest form has an id, a path in percent-escapes and a token."""

FIELDS_MAX: Final = 20

ConsoleRequest = Request[Any, Any, Any]


class NoVisitError(UnauthenticatedError):
    """Nobody is logged in."""


async def visit_of(service: GatewayService, request: ConsoleRequest) -> str:
    """Return the secret of the visit that a request belongs to.

    Raises:
        NoVisitError: there is none, or it is over.
    """
    secret = request.cookies.get(cookie_name(service), "")
    if not secret or not await service.visits.is_under_way(secret):
        raise NoVisitError("Log in first.")
    return secret


def form_token(secret: str) -> str:
    """Make the token that forms of a visit carry."""
    return hmac.new(secret.encode(), b"console form", hashlib.sha256).hexdigest()


async def checked_form(service: GatewayService, request: ConsoleRequest) -> dict[str, str]:
    """Return the fields of a form that one of our pages sent.

    Raises:
        NoVisitError: nobody is logged in.
        ForbiddenError: another site sent it.
    """
    secret = await visit_of(service, request)
    require_own_origin(service, request)
    fields = await form_of(request)
    shown = fields.pop(FORM_FIELD, "")
    if not hmac.compare_digest(shown.encode(), form_token(secret).encode()):
        raise ForbiddenError("This form is too old, or from another site: load the page again.")
    return fields


async def form_of(request: ConsoleRequest) -> dict[str, str]:
    """Return the fields of a form as our pages send it.

    Raises:
        TooLargeError: it is longer than any of ours.
        InvalidRequestError: it is no form.
    """
    body = await read_body(request, bytes_max=FORM_BYTES_MAX)
    try:
        return dict(parse_qsl(body.decode("ascii"), max_num_fields=FIELDS_MAX))
    except ValueError as error:
        raise InvalidRequestError("This is not a form.") from error


def require_own_origin(service: GatewayService, request: ConsoleRequest) -> None:
    """Refuse a form that another site sent.

    Raises:
        ForbiddenError: the browser says that it did.
    """
    origin = request.headers.get("origin")
    own = {origin_of(service.public_url), f"{request.url.scheme}://{request.headers.get('host')}"}
    if origin is not None and origin not in own:
        raise ForbiddenError("This form was sent by another site.")


async def log_in(service: GatewayService, token: str, address: str) -> Cookie:
    """Begin a visit.

    Args:
        service: the gateway.
        token: what was shown.
        address: of the client; who tries from elsewhere does not lock out the operator.

    Raises:
        UnauthenticatedError: it is not the admin token.
        UnavailableError: too many wrong tokens were tried from there in the last minute.
    """
    if not await service.visits.may_try(address):
        raise UnavailableError(
            "Too many wrong tokens were tried from here: wait a minute.", retry_after_s=FAILURES_S
        )
    if not hmac.compare_digest(token.encode(), service.admin_token.reveal().encode()):
        await service.visits.failed(address)
        raise UnauthenticatedError("This is not the admin token.")
    secret = secrets.token_urlsafe(32)
    await service.visits.begin(secret)
    return cookie(service, secret)


def cookie_name(service: GatewayService) -> str:
    """Return the name of the cookie: browsers share cookies between the ports of one host."""
    address = hashlib.sha256(service.public_url.encode()).hexdigest()
    return f"wopi_console_{address[:8]}"


def cookie(service: GatewayService, secret: str) -> Cookie:
    """Return the cookie of a visit; an empty secret takes it away."""
    return Cookie(
        key=cookie_name(service),
        value=secret,
        path=PATH,
        httponly=True,
        samesite="strict",
        secure=service.public_url.startswith("https://"),
        max_age=None if secret else 0,
    )
