"""Whether editors answer, sign, and reach this host."""

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import msgspec

from genro_wopi.domain.doctor import ECHO_PATH, Level, Reached, UnreachedError
from genro_wopi.domain.doctor_pass import new_pass
from genro_wopi.domain.editors import Editor, EditorState, ProofPolicy
from genro_wopi.domain.foreign_json import decode_json
from genro_wopi.gateway.operations.doctor.case import Case
from genro_wopi.gateway.operations.doctor.host_checks import is_local
from genro_wopi.gateway.operations.office import Office
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.protocol.discovery import Discovery, InvalidDiscoveryError, parse_discovery

FETCHES: Final = 3
"""Several, since each may be answered by another pod."""

CERTIFICATE_DAYS_MIN: Final = 14
CLOCK_S_MAX: Final = 240.0
CAPABILITIES: Final = "/hosting/capabilities"
ACCESS_CHECK: Final = "/hosting/wopiAccessCheck"
"""Where a Collabora is asked to call back (since 23.05)."""

_OK: Final = 200


async def examine_editors(
    case: Case, office: Office, scopes: tuple[str, ...], only: str | None
) -> None:
    """Examine the editors of these scopes."""
    found = [e for scope in scopes for e in await office.editors.list_editors(scope)]
    case.look(
        "editors.some",
        is_well=bool(found),
        what="No editor is configured.",
        remedy="genro-wopi editors put collabora --kind collabora --url https://office.example.org",
    )
    for editor in found:
        if only in (None, editor.name):
            for address in editor.pool:
                await _examine(case, office, address)


async def _examine(case: Case, office: Office, editor: Editor) -> None:
    subject = f"editor {editor.name}" + (f" at {editor.url}" if editor.is_further else "")
    discovery = await _discovery(case, office, editor, subject)
    if discovery is None:
        return
    case.look(
        "editor.mixed-content",
        is_well=not office.public_url.startswith("https://")
        or all(a.urlsrc.startswith("https://") for a in discovery.actions),
        what=f"The launch page is https, the editor's address {discovery.actions[0].urlsrc} is"
        " not.",
        remedy="In coolwsd.xml: <ssl><enable>false</enable><termination>true</termination></ssl>"
        " behind a proxy with TLS, and its address with https.",
        subject=subject,
    )
    named = {urlsplit(a.urlsrc).netloc for a in discovery.actions}
    case.look(
        "editor.address",
        is_well=urlsplit(editor.url).netloc in named,
        what=f"It is configured as {editor.url}, but calls itself {', '.join(sorted(named))}.",
        remedy=f"In coolwsd.xml: <server_name>{urlsplit(editor.url).netloc}</server_name>; or"
        f" genro-wopi editors update {editor.name} --url https://{min(named)}",
        subject=subject,
        level=Level.WARNING,
    )
    unknown = set(editor.extensions) - {a.ext for a in discovery.actions}
    case.look(
        "editor.extensions",
        is_well=not unknown,
        what=f"Its discovery does not name {', '.join(sorted(unknown))}.",
        remedy=f"genro-wopi editors update {editor.name} with --extensions that it opens",
        subject=subject,
        level=Level.WARNING,
    )
    _proof(case, editor, discovery, subject)
    await _keys(case, office, editor, subject)
    if editor.kind is EditorKind.COLLABORA:
        await _capabilities(case, office, editor, subject)
        await _calls_back(case, office, editor, subject)
    await _frames(case, office, editor, discovery, subject)


async def _discovery(case: Case, office: Office, editor: Editor, subject: str) -> Discovery | None:
    remedy = (
        f"Open {editor.discovery_url} yourself; correct it with genro-wopi editors update"
        f" {editor.name} --discovery-url, and let WOPI_EDITOR_ALLOW name it where it is not public."
    )
    try:
        answer = await office.editor_prober.ask("GET", editor.discovery_url)
        discovery = parse_discovery(answer.body) if answer.status == _OK else None
        what = f"{editor.discovery_url} answered {answer.status}."
    except (UnreachedError, InvalidDiscoveryError) as error:
        answer, discovery, what = None, None, f"{editor.discovery_url}: {error}."
    case.look(
        "editor.discovery", is_well=discovery is not None, what=what, remedy=remedy, subject=subject
    )
    if answer is None or discovery is None:
        return None
    _certificate(case, office, answer, subject)
    _clock(case, office, answer, subject)
    return discovery


def _certificate(case: Case, office: Office, answer: Reached, subject: str) -> None:
    if answer.certificate_ends_us is None:
        return
    days = (answer.certificate_ends_us - office.clock.now_us()) / 86_400_000_000
    case.look(
        "editor.certificate",
        is_well=days > CERTIFICATE_DAYS_MIN,
        what=f"Its certificate ends in {days:.0f} days.",
        remedy="Renew it, and look why that did not happen by itself.",
        subject=subject,
        level=Level.WARNING,
    )


def _clock(case: Case, office: Office, answer: Reached, subject: str) -> None:
    try:
        theirs = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return
    ours = datetime.fromtimestamp(office.clock.now_us() / 1_000_000, UTC)
    aware = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
    ahead_s = (aware - ours).total_seconds()
    case.look(
        "editor.clock",
        is_well=abs(ahead_s) < CLOCK_S_MAX,
        what=f"Its clock differs from ours by {ahead_s:+.0f} s.",
        remedy="Synchronise both clocks (timedatectl set-ntp true).",
        subject=subject,
    )


def _proof(case: Case, editor: Editor, discovery: Discovery, subject: str) -> None:
    has_keys = discovery.proof_keys is not None
    remedy = "In the container of Collabora: coolconfig generate-proof-key, then restart it."
    if editor.proof is ProofPolicy.REQUIRED:
        case.look(
            "editor.proof",
            is_well=has_keys,
            what="Its requests must be signed, and it publishes no key: all are refused.",
            remedy=remedy,
            subject=subject,
        )
    else:
        case.look(
            "editor.proof",
            is_well=has_keys and editor.proof is not ProofPolicy.OFF,
            what="Its requests are not signed." if not has_keys else "Proofs are not checked.",
            remedy=remedy
            if not has_keys
            else f"genro-wopi editors update {editor.name} --proof required",
            subject=subject,
            level=Level.WARNING if editor.kind is not EditorKind.ONLYOFFICE else Level.NOTE,
        )


async def _keys(case: Case, office: Office, editor: Editor, subject: str) -> None:
    """Fetch the discovery several times: behind one address there may be several pods."""
    states: list[EditorState] = []
    for _ in range(FETCHES):
        state = await office.directory.fetch(editor)
        if state is not None:
            states.append(state)
    shown = {s.discovery.proof_keys.current for s in states if s.discovery.proof_keys}
    case.look(
        "editor.proof-keys",
        is_well=len(shown) <= 1,
        what=f"{len(shown)} different keys came from one address: each pod has its own.",
        remedy="Mount one proof key into all pods: --set collabora.proofKeysSecretRef=<secret> of"
        " the chart, or the same /etc/coolwsd/proof_key in each.",
        subject=subject,
        level=Level.WARNING,
    )


async def _capabilities(case: Case, office: Office, editor: Editor, subject: str) -> None:
    url = editor.discovery_url.partition("/hosting/")[0] + CAPABILITIES
    try:
        answer = await office.editor_prober.ask("GET", url)
        is_told = answer.status == _OK and bool(decode_json(answer.body, dict[str, object]))
    except (UnreachedError, msgspec.DecodeError):
        is_told = False
    case.look(
        "editor.capabilities",
        is_well=is_told,
        what=f"{url} does not tell them.",
        remedy="Let the proxy in front of it pass /hosting/ as a whole.",
        subject=subject,
        level=Level.NOTE,
    )


async def _calls_back(case: Case, office: Office, editor: Editor, subject: str) -> None:
    """Let a Collabora call this host; older ones cannot be asked."""
    url = editor.discovery_url.partition("/hosting/")[0] + ACCESS_CHECK
    callback = f"{office.src_url}{ECHO_PATH}/{new_pass(office.internal_token, _now_s(office))}"
    body = json.dumps({"callbackUrl": callback}).encode()
    headers = {"content-type": "application/json"}
    try:
        answer = await office.editor_prober.ask("POST", url, headers=headers, body=body)
        status = (
            str(decode_json(answer.body, dict[str, object])["status"])
            if answer.status == _OK
            else ""
        )
    except (UnreachedError, msgspec.DecodeError, KeyError):
        return
    if not status:
        return
    case.look(
        "editor.reaches-us",
        is_well=status == "Ok",
        what=f"It cannot call {office.src_url}: {status}.",
        remedy=f"Let its network reach that address, and in coolwsd.xml: {allow_line(office)}",
        subject=subject,
    )


def allow_line(office: Office) -> str:
    """Write what lets a Collabora call this host, for its coolwsd.xml."""
    host = urlsplit(office.src_url)
    pattern = (host.hostname or "").replace(".", "\\.")
    port = host.port or (443 if host.scheme == "https" else 80)
    return (
        '<storage><wopi><alias_groups mode="groups"><group>'
        f'<host allow="true">{host.scheme}://{pattern}:{port}</host>'
        "</group></alias_groups></wopi></storage>"
    )


def _now_s(office: Office) -> int:
    return office.clock.now_us() // 1_000_000


async def _frames(
    case: Case, office: Office, editor: Editor, discovery: Discovery, subject: str
) -> None:
    """Look whether the editor's page may be shown inside ours."""
    if is_local(office.public_url) and not is_local(editor.url):
        return  # Tried from a developer's machine: the editor is configured for another one.
    try:
        address = discovery.actions[0].urlsrc.partition("<")[0]
        answer = await office.editor_prober.ask("GET", address)
    except UnreachedError:
        return
    own = urlsplit(office.public_url)
    refused = refuses_frames(answer.headers, f"{own.scheme}://{own.netloc}", address)
    case.look(
        "editor.frames",
        is_well=not refused,
        what=f"It does not let {own.scheme}://{own.netloc} show it in a frame ({refused}).",
        remedy=f"In coolwsd.xml: <net><frame_ancestors>{own.netloc}</frame_ancestors></net>; and no"
        " X-Frame-Options from the proxy in front of it.",
        subject=subject,
    )


def refuses_frames(headers: dict[str, str], origin: str, own_address: str) -> str:
    """Return the header that forbids an origin to show a page in a frame; empty where none does."""
    policy = headers.get("content-security-policy", "")
    for directive in policy.split(";"):
        words = directive.split()
        if words[:1] == ["frame-ancestors"]:
            return "" if _is_named(words[1:], origin, own_address) else directive.strip()
    frame_options = headers.get("x-frame-options", "").upper()
    is_own = _origin(own_address) == origin
    if frame_options == "DENY" or (frame_options == "SAMEORIGIN" and not is_own):
        return f"X-Frame-Options: {frame_options}"
    return ""


def _is_named(sources: list[str], origin: str, own_address: str) -> bool:
    host = urlsplit(origin).hostname or ""
    for source in sources:
        bare = source.partition("://")[2] or source
        name = bare.rstrip("/").partition(":")[0] if not bare.startswith("[") else bare
        if source == "*" or (source == "'self'" and _origin(own_address) == origin):
            return True
        if source.endswith(":") and origin.startswith(source):
            return True
        if name == host or (name.startswith("*.") and host.endswith(name[1:])):
            return True
    return False


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
