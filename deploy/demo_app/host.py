"""How an application talks to its WOPI host: five calls of the management API."""

import asyncio
from pathlib import Path
from typing import Any, Final

import httpx

TENANT: Final = "demo"
STORAGE: Final = "documents"


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
            "name": "dev-editor",
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
        key = await http.post(f"/api/tenants/{TENANT}/api-keys", json={"note": "demo application"})
        secret = await http.post(f"/api/tenants/{TENANT}/webhook-secret")
        return key.json()["api_key"], secret.json()["webhook_secret"]


async def _until_available(http: httpx.AsyncClient) -> None:
    """Wait for the dev editor, which starts beside this application."""
    for _ in range(100):
        answer = await http.post("/api/editors/dev-editor/refresh")
        if answer.json()["is_available"]:
            return
        await asyncio.sleep(0.2)
