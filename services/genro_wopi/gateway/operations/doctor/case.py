"""What the doctor looks at, why each check matters, and what was found."""

from typing import Final

from genro_wopi.domain.doctor import Finding, Level

WHY: Final[dict[str, str]] = {
    "redis.answers": "Sessions, locks and the registry of files live in Redis.",
    "redis.version": "Older versions lack commands that the scripts use.",
    "redis.security": "A script of a version with CVE-2025-49844 can run code on the server.",
    "redis.persistence": "Without it a restart of Redis loses sessions, locks and events.",
    "redis.fsync": "A crash of the machine loses what was not written to the disk.",
    "redis.eviction": "A Redis that evicts keys throws sessions, locks and registry away.",
    "redis.memory": "A Redis that is full refuses every save.",
    "redis.hashes": "A session takes twice the memory.",
    "redis.primary": "A replica refuses every write.",
    "redis.latency": "Every request of an editor waits for Redis at least once.",
    "redis.clock": "Lives of locks and sessions are counted by the clock of Redis.",
    "host.session-service": "Without it no session can be created or renewed.",
    "host.public-url": "Browsers open launch pages there.",
    "host.public-scheme": "Access tokens and documents would cross a network unencrypted.",
    "host.src-url": "Editors read and save documents there.",
    "host.src-redirect": "Editors do not follow redirects when they save.",
    "host.src-cluster": "Editors would save into another installation.",
    "host.empty-header": "An empty X-WOPI-Lock means another thing than none at all.",
    "host.escapes": "A proof is over the address exactly as the editor called it.",
    "host.body-size": "Larger documents could be opened and not saved.",
    "host.chunked": "Some editors send documents without announcing their length.",
    "host.events": "Nobody is told of saves, and nothing is ended or audited.",
    "host.unsettled": "They were typed, and lie on one disk only until they can be stored.",
    "host.suspended": "No document can be opened.",
    "secrets.readable": "A storage or callback whose secret cannot be read does not work.",
    "secrets.old-key": "Until all is encrypted anew, the old key must be kept.",
    "editors.some": "Without an editor nothing can be opened.",
    "editor.discovery": "It says what the editor opens, and at which address.",
    "editor.certificate": "Nothing opens once it has ended.",
    "editor.mixed-content": "Browsers refuse an http frame in an https page.",
    "editor.address": "Browsers are sent to the address that the discovery names.",
    "editor.extensions": "Files of these types are sent to an editor that cannot open them.",
    "editor.proof": "Without a proof anybody who has a token can act as the editor.",
    "editor.proof-keys": "Requests signed by one pod are checked with the key of another.",
    "editor.clock": "A proof whose time is off by 20 minutes is refused.",
    "editor.capabilities": "What the editor can do besides editing is not known.",
    "editor.reaches-us": "The editor shows an error instead of the document.",
    "editor.frames": "The launch page stays empty.",
    "tenant.active": "Its keys are refused and its documents do not open.",
    "tenant.mode": "Its sessions get no editor.",
    "storages.some": "There is nothing to open.",
    "storage.answers": "Its documents can be neither opened nor saved.",
    "storage.class": "Two writers at one moment are kept apart by a lock only, not by the store.",
    "storage.records": "Versions or recovery copies that these records tell of are not shown.",
    "callbacks.address": "The application is not told of saves.",
    "callbacks.reachable": "Events wait, and become dead letters in the end.",
    "callbacks.signed": "Anybody who knows the address could tell the application of saves.",
    "callbacks.signature": "The application refuses every event; they become dead letters.",
    "callbacks.scheme": "What events tell would cross a network unencrypted.",
    "callbacks.disabled": "Its events become dead letters at once.",
    "callbacks.dead-letters": "The application has not been told of these.",
}
"""Every check and why it matters."""


class Case:
    """One examination."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.checked = 0

    def look(
        self,
        check: str,
        *,
        is_well: bool,
        what: str,
        remedy: str,
        subject: str = "",
        level: Level = Level.PROBLEM,
    ) -> bool:
        """Note one check, and a finding where it is not well; return `is_well`."""
        self.checked += 1
        if not is_well:
            self.findings.append(
                Finding(
                    check=check,
                    level=level,
                    subject=subject,
                    what=what,
                    why=WHY[check],
                    remedy=remedy,
                )
            )
        return is_well
