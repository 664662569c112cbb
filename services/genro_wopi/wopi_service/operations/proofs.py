"""Whether a request was signed by the editor that the session belongs to."""

import asyncio
from collections.abc import Iterator, Sequence

from genro_wopi.domain.access_tokens import AccessClaims
from genro_wopi.domain.clock import Clock
from genro_wopi.domain.editors import Editor, EditorDirectory, EditorState, ProofPolicy
from genro_wopi.domain.errors import ProofRefusedError, UnavailableError
from genro_wopi.domain.sessions import EditorRef
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.protocol.proof import (
    ProofHeaders,
    ProofKeys,
    is_fresh,
    message,
    parse_ticks,
    verifies,
)


class ProofChecker:
    """Checks proofs against the keys that the editor published.

    Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/online/scenarios/proofkeys
    """

    def __init__(self, editors: EditorDirectory, clock: Clock, *, src_url: str) -> None:
        self._editors = editors
        self._clock = clock
        self._src_url = src_url

    async def check(
        self, claims: AccessClaims, token: str, target: str, headers: ProofHeaders
    ) -> None:
        """Check one request.

        Args:
            claims: what the token says; it names the editor of its session.
            token: percent-decoded.
            target: path and query exactly as they were sent.
            headers: the request's proof.

        Raises:
            ProofRefusedError: it is missing where it must be there, stale, or matches no key; or
                the session's editor is not configured any more, so that nobody can sign for it.
            UnavailableError: the editor's discovery was never read, and cannot be now.
        """
        if not claims.editor:
            return
        configured = await self._configured(claims.editor)
        if configured is None and not claims.is_unsigned:
            raise ProofRefusedError(
                "no_editor",
                "The editor of this session is not configured any more: open the document again.",
            )
        if configured is None or configured.proof is ProofPolicy.OFF:
            return
        states = await asyncio.gather(*map(self._editors.state, configured.pool))
        if not _is_needed(configured, states):
            return
        ticks = parse_ticks(headers.ticks)
        if ticks is None or not headers.proof:
            raise ProofRefusedError(
                "missing", "The request carries no proof; this editor signs its requests."
            )
        if not is_fresh(ticks, self._clock.now_us()):
            raise ProofRefusedError(
                "stale", "The proof is too old, or the editor's clock is wrong."
            )
        signed = message(token, f"{self._src_url}{target}", ticks)
        if verifies(headers, signed, _keys(states)):
            return
        states = await asyncio.gather(*map(self._editors.refetch, configured.pool))
        if verifies(headers, signed, _keys(states)):
            return
        _require_known(configured, states)
        raise ProofRefusedError("no_key", "The proof matches no key that the editor published.")

    async def _configured(self, editor: str) -> Editor | None:
        scope, _, name = editor.partition("/")
        return await self._editors.editor(EditorRef(scope, name, EditorKind.GENERIC))


def _is_needed(editor: Editor, states: Sequence[EditorState | None]) -> bool:
    """Tell whether an editor signs its requests.

    Raises:
        UnavailableError: none of its addresses has said so yet.
    """
    if editor.proof is ProofPolicy.REQUIRED:
        return True
    _require_known(editor, states)
    return any(state is not None and state.had_keys for state in states)


def _require_known(editor: Editor, states: Sequence[EditorState | None]) -> None:
    """Refuse to judge by a discovery that was never read.

    Raises:
        UnavailableError: it was read from no address of the editor.
    """
    if all(state is None for state in states):
        raise UnavailableError(
            f"The discovery of the editor {editor.name!r} cannot be read, so that its proof cannot"
            " be checked."
        )


def _keys(states: Sequence[EditorState | None]) -> Iterator[ProofKeys]:
    """Return what any of an editor's addresses showed lately."""
    return (seen.keys for state in states if state for seen in state.seen_keys)
