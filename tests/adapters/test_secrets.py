"""Sealed secrets."""

import pytest

from genro_wopi.adapters.secrets import AesGcmRing
from genro_wopi.domain.secrets import Sealed, Secret, UnreadableSecretError

OLD, NEW = ("old", b"o" * 32), ("new", b"n" * 32)


def test_a_secret_comes_back() -> None:
    ring = AesGcmRing([OLD])
    sealed = ring.seal(Secret("s3cret"), context="acme/x")
    assert "s3cret" not in sealed
    assert ring.open(sealed, context="acme/x") == Secret("s3cret")


def test_an_older_key_still_opens() -> None:
    sealed = AesGcmRing([OLD]).seal(Secret("s"), context="c")
    assert AesGcmRing([NEW, OLD]).open(sealed, context="c") == Secret("s")


@pytest.mark.parametrize("context", ["other/x", ""])
def test_a_secret_that_was_moved_does_not_open(context: str) -> None:
    ring = AesGcmRing([OLD])
    with pytest.raises(UnreadableSecretError):
        ring.open(ring.seal(Secret("s"), context="acme/x"), context=context)


@pytest.mark.parametrize("sealed", ["", "plain", "enc:v1:old:!!", "enc:v1:gone:AAAA"])
def test_what_was_not_sealed_here_does_not_open(sealed: str) -> None:
    with pytest.raises(UnreadableSecretError):
        AesGcmRing([OLD]).open(Sealed(sealed), context="c")
