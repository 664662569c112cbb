"""Reads what lies beside files, as input: whoever can write to the storage can write it."""

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from genro_wopi.domain.files import Evidence
from genro_wopi.domain.record_owner import RecordOwner

RECORD_BYTES_MAX: Final = 64 * 1024

R = TypeVar("R", bound=msgspec.Struct)


def _uncounted(kind: str) -> None:
    del kind


class Records:
    """The records of one storage: whose they are, and who is told of bad ones."""

    def __init__(
        self,
        owner: RecordOwner = RecordOwner(),  # noqa: B008 - frozen
        report: Callable[[str], None] = _uncounted,
    ) -> None:
        """Take the owner, and who counts bad records by their kind."""
        self.owner: Final = owner
        self.bad: Final = report

    def read(self, content: bytes | None, kind: type[R], name: str) -> R | None:
        """Decode a record strictly; None where it cannot be read. `None` stands for a large one."""
        try:
            if content is not None:
                return msgspec.json.decode(content, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        self.bad(name)
        return None

    def convert(self, values: dict[str, str | bool], kind: type[R], name: str) -> R | None:
        """Read a record that is a table of texts; None where it cannot be read."""
        try:
            return msgspec.convert(values, type=kind, strict=False)
        except msgspec.ValidationError:
            self.bad(name)
            return None

    def counts(self, evidence: Evidence) -> bool:
        """Tell whether evidence is the tenant's own."""
        return self.owner.owns(evidence.tenant)

    def own(self, evidence: Evidence) -> Evidence:
        """Write into evidence whose storage it is."""
        if evidence.tenant == self.owner.tenant_id:
            return evidence
        return msgspec.structs.replace(evidence, tenant=self.owner.tenant_id)
