"""Whether browsers and editors reach this host, and requests arrive as they were sent."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

import msgspec

from genro_wopi.domain.doctor import (
    ECHO_BODY_BYTES_MAX,
    ECHO_PATH,
    Echo,
    Level,
    Prober,
    Reached,
    UnreachedError,
)
from genro_wopi.domain.doctor_pass import new_pass
from genro_wopi.domain.foreign_json import decode_json
from genro_wopi.gateway.operations.doctor.case import Case
from genro_wopi.gateway.operations.office import Office
from genro_wopi.protocol import headers as names

ESCAPED: Final = "/a%2Fb%20c"
ESCAPED_QUERY: Final = "x=%2B%26&y="
CHUNKED_BYTES: Final = ECHO_BODY_BYTES_MAX // 2
EVENTS_WAIT_S_MAX: Final = 120.0

_OK: Final = 200
_REDIRECTS: Final = range(300, 400)


async def examine_host(case: Case, office: Office) -> None:
    """Call this host as browsers and editors do."""
    case.look(
        "host.session-service",
        is_well=await office.session_service_ready(),
        what="The session-service does not answer.",
        remedy="Start it, or set WOPI_SESSION_SERVICE_URL to where it is.",
    )
    instance = await office.instances.get()
    case.look(
        "host.suspended",
        is_well=not instance.suspended,
        what=f"The installation is suspended: {instance.reason or 'no reason was given'}.",
        remedy="genro-wopi instance activate",
    )
    await _public(case, office)
    await _source(case, office)
    waiting_s = await office.events.waiting_s()
    case.look(
        "host.events",
        is_well=waiting_s < EVENTS_WAIT_S_MAX,
        what=f"The oldest event that nobody looked at is {waiting_s:.0f} s old.",
        remedy="Start a callback-worker; its log says why where one runs.",
    )


async def _public(case: Case, office: Office) -> None:
    url = office.public_url
    try:
        answer = await office.prober.ask("GET", f"{url}/health/live")
        what = f"{url}/health/live answered {answer.status}."
        is_well = answer.status == _OK and b'"live"' in answer.body
    except UnreachedError as error:
        what, is_well = f"{url} does not answer: {error}.", False
    case.look(
        "host.public-url",
        is_well=is_well,
        what=what,
        remedy="Set WOPI_PUBLIC_URL to the address at which browsers reach the gateway.",
        level=Level.WARNING,  # Some networks do not let a host call its own outer address.
    )
    case.look(
        "host.public-scheme",
        is_well=url.startswith("https://") or is_local(url),
        what=f"WOPI_PUBLIC_URL is {url}.",
        remedy=f"WOPI_PUBLIC_URL={url.replace('http://', 'https://', 1)}",
        level=Level.WARNING,
    )


async def _source(case: Case, office: Office) -> None:
    base = f"{office.src_url}{ECHO_PATH}/{new_pass(office.internal_token, _now_s(office))}"
    try:
        first = await office.prober.ask("GET", f"{base}{ESCAPED}?{ESCAPED_QUERY}")
    except UnreachedError as error:
        case.look(
            "host.src-url",
            is_well=False,
            what=f"{office.src_url} does not answer: {error}.",
            remedy="Set WOPI_SRC_URL to the address at which editors reach /wopi.",
        )
        return
    where = first.headers.get("location", "")
    if not case.look(
        "host.src-redirect",
        is_well=first.status not in _REDIRECTS,
        what=f"{office.src_url} redirects to {where}.",
        remedy=f"WOPI_SRC_URL={where.partition('/wopi/')[0] or '<where it redirects to>'}",
    ):
        return
    echo = _echo(first)
    if not case.look(
        "host.src-url",
        is_well=echo is not None,
        what=f"{office.src_url}{ECHO_PATH} answered {first.status}, and not as a wopi-service of"
        " this installation does.",
        remedy="Route /wopi of WOPI_SRC_URL to the wopi-service, and give all services the same"
        " WOPI_INTERNAL_TOKEN.",
    ):
        return
    assert echo is not None  # noqa: S101 - `look` has said so
    case.look(
        "host.escapes",
        is_well=echo.path.endswith(ESCAPED) and echo.query == ESCAPED_QUERY,
        what=f"An address ending in {ESCAPED}?{ESCAPED_QUERY} arrived as {echo.path[-20:]}?"
        f"{echo.query}.",
        remedy="Let the proxy pass the raw address: in nginx `proxy_pass http://upstream;` without"
        " a path, in HAProxy no http-request set-path.",
    )
    await _bodies(case, office, base)


async def _bodies(case: Case, office: Office, base: str) -> None:
    echo = await _asked(office.prober, "POST", base, headers={names.LOCK: ""}, body=b"x")
    case.look(
        "host.empty-header",
        is_well=echo is not None and echo.lock == "",
        what="An empty X-WOPI-Lock did not arrive.",
        remedy="Let the proxy pass headers without a value; where it cannot, take it out of the way"
        " of /wopi.",
    )
    echo = await _asked(office.prober, "POST", base, body=b"\0" * CHUNKED_BYTES, chunked=True)
    case.look(
        "host.chunked",
        is_well=echo is not None and echo.body_bytes == CHUNKED_BYTES,
        what="A chunked body did not arrive whole.",
        remedy="In nginx: `proxy_http_version 1.1;` and `proxy_request_buffering off;` for /wopi.",
    )
    try:
        status = await office.prober.announce(base, size_bytes=office.file_bytes_max)
        answer, is_well = str(status), status in {None, _OK}
    except UnreachedError:
        answer, is_well = "by closing the connection", False
    mebibytes = office.file_bytes_max // 2**20
    case.look(
        "host.body-size",
        is_well=is_well,
        what=f"A body of {mebibytes} MiB (WOPI_FILE_BYTES_MAX) was answered {answer}.",
        remedy=f"In nginx: `client_max_body_size {mebibytes}m;`, for ingress-nginx the annotation"
        f' `nginx.ingress.kubernetes.io/proxy-body-size: "{mebibytes}m"`.',
    )


async def _asked(
    prober: Prober,
    method: str,
    url: str,
    *,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    chunked: bool = False,
) -> Echo | None:
    try:
        return _echo(await prober.ask(method, url, headers=headers, body=body, chunked=chunked))
    except UnreachedError:
        return None


def _echo(answer: Reached) -> Echo | None:
    try:
        return decode_json(answer.body, Echo) if answer.status == _OK else None
    except msgspec.DecodeError:
        return None


def _now_s(office: Office) -> int:
    return office.clock.now_us() // 1_000_000


def is_local(url: str) -> bool:
    """Tell whether an address stays on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
