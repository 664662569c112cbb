"""WOPI as a client speaks it: signed requests, and the habits of Collabora Online.

Every request carries a proof made with the editor's own RSA key, the token in query and header, and
on PutFile Collabora's headers (timestamp, autosave, exit save).
"""

import base64
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx
import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

TIMEOUT_S: Final = 30.0
"""As long as Collabora waits for a save."""

_TICKS_AT_1970: Final = 621_355_968_000_000_000


class ProofKey:
    """The editor's own key; kept in a file, so that a restart does not change it."""

    def __init__(self, file: Path) -> None:
        if file.exists():
            key = serialization.load_pem_private_key(file.read_bytes(), None)
            if not isinstance(key, rsa.RSAPrivateKey):
                raise TypeError(f"{file} is not an RSA key")
            self._key = key
        else:
            self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            pem = self._key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            file.touch(mode=0o600)
            file.write_bytes(pem)

    def published(self) -> tuple[str, str]:
        """Return modulus and exponent as discovery writes them."""
        numbers = self._key.public_key().public_numbers()
        return _encoded(numbers.n), _encoded(numbers.e)

    def sign(self, token: str, url: str, ticks: int) -> str:
        """Sign one request."""
        parts = (token.encode(), url.upper().encode(), ticks.to_bytes(8, "big"))
        message = b"".join(len(p).to_bytes(4, "big") + p for p in parts)
        return base64.b64encode(
            self._key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        ).decode()


def _encoded(number: int) -> str:
    return base64.b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).decode()


class FileInfo(msgspec.Struct, frozen=True, rename="pascal"):
    """What of CheckFileInfo this editor uses."""

    base_file_name: str
    size: int
    last_modified_time: str
    user_can_write: bool = False
    user_friendly_name: str = ""
    post_message_origin: str = ""
    sha256: str = msgspec.field(name="SHA256", default="")


class WopiClient:
    """The calls that an editor makes for one file and one token."""

    def __init__(self, http: httpx.AsyncClient, key: ProofKey, wopi_src: str, token: str) -> None:
        self._http = http
        self._key = key
        self._wopi_src = wopi_src
        self.token = token

    async def check_file_info(self) -> httpx.Response:
        """CheckFileInfo."""
        return await self._send("GET", "", {})

    async def get_file(self) -> httpx.Response:
        """GetFile."""
        return await self._send("GET", "/contents", {})

    async def lock_operation(self, override: str, lock: str) -> httpx.Response:
        """LOCK (a refresh too) or UNLOCK."""
        return await self._send("POST", "", {"X-WOPI-Override": override, "X-WOPI-Lock": lock})

    async def put_file(
        self, content: bytes, *, lock: str, timestamp: str | None, autosave: bool, exit_save: bool
    ) -> httpx.Response:
        """PutFile; without a timestamp it overwrites whatever is there."""
        headers = {
            "X-WOPI-Override": "PUT",
            "X-WOPI-Lock": lock,
            "X-COOL-WOPI-IsModifiedByUser": "true",
            "X-COOL-WOPI-IsAutosave": str(autosave).lower(),
            "X-COOL-WOPI-IsExitSave": str(exit_save).lower(),
        }
        if timestamp:
            headers["X-COOL-WOPI-Timestamp"] = timestamp
        return await self._send("POST", "/contents", headers, content)

    async def _send(
        self, method: str, suffix: str, headers: dict[str, str], content: bytes = b""
    ) -> httpx.Response:
        url = f"{self._wopi_src}{suffix}?access_token={quote(self.token)}&access_token_ttl=0"
        ticks = time.time_ns() // 100 + _TICKS_AT_1970
        proof = self._key.sign(self.token, url, ticks)
        signed = {
            "Authorization": f"Bearer {self.token}",
            "X-WOPI-TimeStamp": str(ticks),
            "X-WOPI-Proof": proof,
            "X-WOPI-ProofOld": proof,
        }
        return await self._http.request(
            method, url, headers={**headers, **signed}, content=content or None
        )
