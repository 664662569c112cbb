"""The table: what a file's state is, what is asked, and what must be answered.

A step is written as an editor would say it: ``LOCK A``, ``PUT A``, ``RELOCK A B`` (replace A by B),
``PUT -`` (without a lock). Sections are those of the WOPI reference.
"""

from dataclasses import dataclass

FULL, EMPTY = b"hello", b""


@dataclass(frozen=True)
class Case:
    """One row."""

    section: str
    given: str
    """In words, for the report."""
    before: tuple[str, ...]
    step: str
    status: int
    lock: str | None = None
    """X-WOPI-Lock of the answer; None: there must be none."""
    content: bytes = FULL
    """Of the file before."""
    edit: bool = True
    stored: bytes | None = None
    """Of the file afterwards, where it matters."""
    invalid: bool = False
    """A name is refused with its reason."""

    @property
    def name(self) -> str:
        return f"{self.given} - {self.step}"


LONG = "L" * 1024
UNLOCKED, SAME, OTHER = "unlocked", "locked with the same", "locked with another"

LOCKS = (
    Case("Lock", UNLOCKED, (), "LOCK A", 200),
    Case("Lock", SAME, ("LOCK A",), "LOCK A", 200),
    Case("Lock", OTHER, ("LOCK B",), "LOCK A", 409, "B"),
    Case("Lock", "1,024 characters", (), f"LOCK {LONG}", 200),
    Case("Lock", "1,025 characters", (), f"LOCK {LONG}L", 400),
    Case("Lock", "no lock sent", (), "LOCK -", 400),
    Case("Lock", "not ASCII", (), "LOCK ü", 400),
    Case("Lock", "a reader asks", (), "LOCK A", 200, edit=False),
    Case("Lock", "released before", ("LOCK A", "UNLOCK A"), "LOCK B", 200),
    Case("UnlockAndRelock", UNLOCKED, (), "RELOCK A B", 409, ""),
    Case("UnlockAndRelock", SAME, ("LOCK A",), "RELOCK A B", 200),
    Case("UnlockAndRelock", OTHER, ("LOCK C",), "RELOCK A B", 409, "C"),
    Case("UnlockAndRelock", "the new one holds", ("LOCK A", "RELOCK A B"), "LOCK B", 200),
    Case("RefreshLock", UNLOCKED, (), "REFRESH_LOCK A", 409, ""),
    Case("RefreshLock", SAME, ("LOCK A",), "REFRESH_LOCK A", 200),
    Case("RefreshLock", OTHER, ("LOCK B",), "REFRESH_LOCK A", 409, "B"),
    Case("Unlock", UNLOCKED, (), "UNLOCK A", 409, ""),
    Case("Unlock", SAME, ("LOCK A",), "UNLOCK A", 200),
    Case("Unlock", OTHER, ("LOCK B",), "UNLOCK A", 409, "B"),
    Case("Unlock", "a reader asks", (), "UNLOCK A", 401, edit=False),
    Case("GetLock", UNLOCKED, (), "GET_LOCK", 200, ""),
    Case("GetLock", SAME, ("LOCK A",), "GET_LOCK", 200, "A"),
)

SAVES = (
    Case("PutFile", UNLOCKED, (), "PUT -", 409, "", stored=FULL),
    Case("PutFile", "unlocked, 0 bytes", (), "PUT -", 200, content=EMPTY, stored=b"saved"),
    Case("PutFile", SAME, ("LOCK A",), "PUT A", 200, stored=b"saved"),
    Case("PutFile", OTHER, ("LOCK B",), "PUT A", 409, "B", stored=FULL),
    Case("PutFile", "locked, no lock sent", ("LOCK A",), "PUT -", 409, "A", stored=FULL),
    Case("PutFile", "a reader asks", (), "PUT -", 401, edit=False, stored=FULL),
    Case("PutFile", "released just now", ("LOCK A", "UNLOCK A"), "PUT A", 200, stored=b"saved"),
    Case(
        "PutFile",
        "released, then locked by another",
        ("LOCK A", "UNLOCK A", "LOCK B"),
        "PUT A",
        409,
        "B",
        stored=FULL,
    ),
    Case("PutFile", "the right timestamp", ("LOCK A", "INFO"), "PUT_AT A", 200, stored=b"saved"),
    Case("PutFile", "an old timestamp", ("LOCK A",), "PUT_STALE A", 409, "A", stored=FULL),
    Case("PutFile", "LOOL's headers", ("LOCK A",), "PUT_STALE_LOOL A", 409, "A", stored=FULL),
    Case("PutFile", "X-WOPI-Size differs", ("LOCK A",), "PUT_SHORT A", 400, stored=FULL),
)

NAMES = (
    Case("PutRelativeFile", "suggested extension", (), "SUGGEST .pdf", 200),
    Case("PutRelativeFile", "suggested name is taken", (), "SUGGEST a.txt", 200),
    Case("PutRelativeFile", "suggested name is none", (), "SUGGEST ..", 200),
    Case("PutRelativeFile", "exact name is free", (), "EXACT b.txt", 200),
    Case("PutRelativeFile", "exact name is taken", (), "EXACT a.txt", 409),
    Case("PutRelativeFile", "taken, overwriting, locked", ("LOCK A",), "OVER a.txt", 409, "A"),
    Case("PutRelativeFile", "exact name is none", (), "EXACT ..", 400, invalid=True),
    Case("PutRelativeFile", "both targets", (), "BOTH b.txt", 501),
    Case("PutRelativeFile", "no target", (), "PUT_RELATIVE", 501),
    Case("PutRelativeFile", "a reader asks", (), "SUGGEST .pdf", 501, edit=False),
    Case("RenameFile", UNLOCKED, (), "RENAME - b", 200),
    Case("RenameFile", SAME, ("LOCK A",), "RENAME A b", 200),
    Case("RenameFile", OTHER, ("LOCK B",), "RENAME A b", 409, "B"),
    Case("RenameFile", "not a name", (), "RENAME - ..", 400, invalid=True),
    Case("RenameFile", "a reader asks", (), "RENAME - b", 401, edit=False),
    Case("DeleteFile", UNLOCKED, (), "DELETE", 200),
    Case("DeleteFile", "locked", ("LOCK B",), "DELETE", 409, "B"),
    Case("DeleteFile", "a reader asks", (), "DELETE", 401, edit=False),
)

OTHERS = (
    Case("CheckFileInfo", "", (), "INFO", 200),
    Case("CheckFileInfo", "after DeleteFile", ("DELETE",), "INFO", 404),
    Case("CheckFileInfo", "a wrong token", (), "INFO_WRONG", 401),
    Case("GetFile", "", (), "GET", 200),
    Case("GetFile", "larger than X-WOPI-MaxExpectedSize", (), "GET_MAX 4", 412),
    Case("PutUserInfo", "", (), "USER_INFO 1024", 200),
    Case("PutUserInfo", "1,025 characters", (), "USER_INFO 1025", 400),
    Case("GetShareUrl", "an unknown type", (), "SHARE Nothing", 501),
    Case("AddActivities", "", (), "ACTIVITIES", 200),
    Case("EnumerateAncestors", "", (), "ANCESTRY", 200),
    Case("GetEcosystem", "", (), "ECOSYSTEM", 200),
    Case("Overrides", "COBALT", (), "OVERRIDE COBALT", 501),
    Case("Overrides", "READ_SECURE_STORE", (), "OVERRIDE READ_SECURE_STORE", 501),
    Case("Overrides", "unknown", (), "OVERRIDE DANCE", 501),
    Case("Overrides", "missing", (), "OVERRIDE", 400),
)

HOSTILE = {
    "a way up": "+AC4ALgAv-etc",
    "CRLF in UTF-7": "a+AA0ACg-b.txt",
    "NUL in UTF-7": "x+AAA-y.txt",
    "a backslash": "a\\b.txt",
    "300 bytes": "n" * 300 + ".txt",
    "513 characters": "n" * 509 + ".txt",
    "not UTF-7": "a+!!.txt",
    "half a surrogate pair": "+2D0-.txt",
    "the host's own folder": ".genro-wopi",
}
"""Names as a header carries them that never become one as they are."""

UNUSUAL = {
    "a device of Windows": "CON.txt",
    "right to left": "+BdAF0QXS-.txt",
    "an emoji": "+2D3cxA-.txt",
    "a long extension": "a." + "e" * 120,
}

HOSTILE_NAMES = (
    *(Case("Names", why, (), f"SUGGEST {name}", 200) for why, name in HOSTILE.items()),
    *(Case("Names", why, (), f"EXACT {name}", 400, invalid=True) for why, name in HOSTILE.items()),
    *(
        Case("Names", why, (), f"RENAME - {name}", 400, invalid=True, stored=FULL)
        for why, name in HOSTILE.items()
    ),
    *(
        Case("Names", why, (), f"{step} {name}", 200)
        for why, name in UNUSUAL.items()
        for step in ("SUGGEST", "EXACT", "RENAME -")
    ),
)

CASES = (*LOCKS, *SAVES, *NAMES, *HOSTILE_NAMES, *OTHERS)
