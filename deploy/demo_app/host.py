"""How an application talks to its WOPI host: five calls of the management API."""

import asyncio
from pathlib import Path
from typing import Any, Final

import httpx

TENANT: Final = "demo"
STORAGE: Final = "documents"
EDITOR: Final = "dev-editor"
KEY_NOTE: Final = "demo application"


class WopiHost:
    """The management API, with this application's key."""

    def __init__(self, url: str, api_key: str) -> None:
        headers = {"Authorization": f"Bearer {api_key}"}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=30.0)

    async def documents(self) -> list[dict[str, Any]]:
        """List the documents of the storage."""
        answer = await self._http.get(f"/api/storages/{STORAGE}/files")
        answer.raise_for_status()
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def open_session(self, path: str, user: str, *, may_edit: bool) -> dict[str, Any]:
        """Create an editing session; its `launch_url` goes into an iframe."""
        session = {
            "storage_name": STORAGE,
            "file_path": path,
            "permissions": ["view", "edit"] if may_edit else ["view"],
            "account": "demo",
            "user": user,
            "origin_connection_id": "demo-connection",
        }
        answer = await self._http.post("/api/sessions/create", json=session)
        answer.raise_for_status()
        created: dict[str, Any] = answer.json()
        return created

    async def read(self, path: str) -> bytes:
        """Download a document."""
        answer = await self._http.get(self._content, params={"path": path})
        answer.raise_for_status()
        return answer.content

    async def write(self, path: str, content: bytes) -> None:
        """Upload a document, past any editor that has it open."""
        answer = await self._http.put(self._content, params={"path": path}, content=content)
        answer.raise_for_status()

    @property
    def _content(self) -> str:
        return f"/api/storages/{STORAGE}/files/content"


async def register(url: str, admin_token: str, files_dir: Path) -> tuple[str, str]:
    """Do what an operator does once for a new application: tenant, key, secret, storage, editor.

    Returns:
        The application's API key and its webhook secret.

    Raises:
        httpx.HTTPError: the host does not answer, or refuses.
    """
    headers = {"Authorization": f"Bearer {admin_token}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30.0) as http:
        tenant = {
            "id": TENANT,
            "name": "Demo application",
            "client_base_url": f"{url}/demo",
            "client_callback_path": "/callback",
        }
        storage = {
            "tenant_id": TENANT,
            "name": STORAGE,
            "protocol": "local",
            "config": {"base_path": str(files_dir / TENANT)},
        }
        editor = {
            "name": EDITOR,
            "kind": "collabora",
            "url": url,
            "discovery_url": f"{url}/editor/hosting/discovery",
            "priority": 900,
        }
        for path, body in (
            ("/api/tenants", tenant),
            ("/api/storages", storage),
            ("/api/editors", editor),
        ):
            (await http.post(path, json=body)).raise_for_status()
        await _until_available(http)
        key = await _new_key(http)
        secret = await http.post(f"/api/tenants/{TENANT}/webhook-secret")
        return key, secret.raise_for_status().json()["webhook_secret"]


async def _until_available(http: httpx.AsyncClient) -> None:
    """Wait for the dev editor, which starts beside this application."""
    while True:
        answer = (await http.post(f"/api/editors/{EDITOR}/refresh")).raise_for_status()
        if answer.json()["is_available"] and not answer.json()["last_error"]:
            return
        await asyncio.sleep(0.1)


async def _new_key(http: httpx.AsyncClient) -> str:
    """Draw a key, and take away those of earlier starts: they were shown once, and are lost."""
    path = f"/api/tenants/{TENANT}/api-keys"
    known = (await http.get(path)).raise_for_status().json()["items"]
    created = (await http.post(path, json={"note": KEY_NOTE})).raise_for_status().json()
    for key in known:
        if key["note"] == KEY_NOTE:
            (await http.delete(f"{path}/{key['key_id']}")).raise_for_status()
    return created["api_key"]
