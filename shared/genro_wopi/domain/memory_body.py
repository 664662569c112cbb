"""A small body that was never received: a template, a test's bytes."""

import hashlib


class MemoryBody:
    """Implements `genro_wopi.domain.storages.Body` over bytes at hand."""

    path = None

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size_bytes = len(content)
        self.sha256 = hashlib.sha256(content).hexdigest()

    def in_memory(self) -> bytes:
        """See Body."""
        return self._content
