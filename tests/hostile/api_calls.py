"""Every operation of the management catalog, called with what attackers know and make up."""

import random
import re
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec

from genro_wopi.management.catalog import OPERATIONS
from genro_wopi.management.examples import example_of
from genro_wopi.management.operation import Access, Content, Operation
from tests.hostile import values
from tests.hostile.attacker import Attacker, quoted
from tests.hostile.odd_servers import OddServer
from tests.hostile.stage import Tenant

AnyOperation = Operation[Any, Any]
PATHS = ("told.txt", "work.txt", "payroll.txt", "flyer.txt", "a/b.txt", "gone.txt", "../told.txt")
_PARAMETER = re.compile(r"{(\w+)}")

OPERATORS = frozenset(o.name for o in OPERATIONS if o.access is Access.ADMIN) | {"audit.purge"}
ALWAYS_OWN = {"tenants.get", "caller.get"}
RARELY = {"storages.delete": 0.05, "files.delete": 0.3, "editors.delete": 0.3}
"""What takes away what other steps need."""


@dataclass
class ApiAttacker:
    """A tenant's application that does not behave."""

    attacker: Attacker
    tenant: Tenant
    servers: OddServer
    folders: list[str] = field(default_factory=list[str])
    """Of which it makes storages: its own, below it, others'."""

    @property
    def chance(self) -> random.Random:
        return self.attacker.chance

    def key(self) -> tuple[str, str]:
        """Draw one of its keys; returns the scope and the key."""
        if self.tenant.keys and self.chance.random() < 0.3:
            return self.chance.choice(sorted(self.tenant.keys.items()))
        return "all", self.tenant.key

    async def call_any(self) -> None:
        """Call an operation with one of the keys."""
        operation = self.chance.choice(OPERATIONS)
        if self.chance.random() < RARELY.get(operation.name, 1.0):
            await self.call(operation)

    async def call(self, operation: AnyOperation) -> httpx.Response | None:
        """Call an operation, and see that it is not for whom it is not."""
        scope, key = self.key()
        given = self.request_of(operation)
        path = _PARAMETER.sub(lambda m: quoted(given.pop(m[1], "")), operation.path)
        body, query, headers = None, None, {"Authorization": f"Bearer {key}"}
        if operation.reads_query:
            query = given
        else:
            body = self._body(given)
        if operation.content is Content.UPLOAD:
            body = b"intruder " + self.chance.randbytes(self.chance.choice((0, 10, 100_000)))
        if self.chance.random() < 0.1:
            header = self.chance.choice(("If-Match", "If-None-Match", "Idempotency-Key", "Range"))
            headers[header] = self._known(header)
        method = operation.method
        answer = await self.attacker.ask(method, path, query=query, headers=headers, body=body)
        self.attacker.record.counts[f"operations called: {operation.name}"] += 1
        self._judge(operation, scope, answer)
        return answer

    def request_of(self, operation: AnyOperation) -> dict[str, Any]:
        """Make a request that mostly could be right."""
        fields = [f.encode_name for f in msgspec.structs.fields(operation.request)]
        given = example_of(operation)
        for name in fields:
            if name in given or self.chance.random() < 0.2:
                given[name] = self._likely(operation, name)
        if operation.name == "storages.put":
            given |= self.storage()
        if operation.name == "editors.put":
            given |= self._editor()
        for _ in range(self.chance.choice((0, 0, 1, 1, 2))):
            given[self.chance.choice([*fields, "more"])] = self._wrong()
        return {k: v for k, v in given.items() if k != "tenant_id" or v is not None}

    def storage(self) -> dict[str, Any]:
        """Describe a storage in a place of its own, or not."""
        chance, forbidden = self.chance, self.servers.forbidden_url
        url = chance.choice((self.servers.url, forbidden, self._elsewhere(forbidden)))
        keys = {"access_key_id": "AKIATEST", "secret_access_key": "secretsecret"}
        protocol, config = chance.choice(
            (
                ("local", {"base_path": chance.choice(self.folders)}),
                ("local", {"base_path": chance.choice(self.folders)}),
                ("s3", {"bucket": "b", "endpoint_url": f"{url}/s3", "path_style": True, **keys}),
                ("webdav", {"url": f"{url}/dav", "username": "u", "password": "p"}),
                ("genro", {"protocol": "local", "base_path": chance.choice(self.folders)}),
            )
        )
        return {"name": f"n{chance.randrange(4)}", "protocol": protocol, "config": config}

    def _editor(self) -> dict[str, Any]:
        url = self.chance.choice((f"{self.servers.url}/editor", self.servers.forbidden_url))
        proof = self.chance.choice(("required", "if_published", "off"))
        return {
            "name": f"e{self.chance.randrange(3)}",
            "kind": "collabora",
            "url": url,
            "proof": proof,
        }

    def _elsewhere(self, url: str) -> str:
        port = url.rstrip("/").rpartition(":")[2]
        host = self.chance.choice(
            ("2130706509", "0x7f00004d", "[::ffff:127.0.0.77]", "127.0.19789")
        )
        return f"http://{host}:{port}"

    def _likely(self, operation: AnyOperation, name: str) -> Any:
        group = operation.name.partition(".")[0]
        if name == "tenant_id":
            return self.chance.choice((self.tenant.tenant_id, None, self._other("tenant_id")))
        if name == "storage_name" or (name == "name" and group in {"storages", "files", "folders"}):
            return self.chance.choice([*self.tenant.storages, "docs", "n0", "n1", "n2"])
        if name in {"path", "file_path"} and self.chance.random() < 0.8:
            return self.chance.choice(PATHS)
        if name == "name" and group == "editors":
            return self.chance.choice(("e0", "e1", "e2", "office"))
        if name == "items":
            return [self._registered() for _ in range(self.chance.choice((1, 3, 50)))]
        known = self.attacker.pool if self.chance.random() < 0.7 else self.attacker.others
        found = known.draw(self.chance, name)
        if found is not None:
            return found
        return example_of(operation).get(name, values.odd(self.chance))

    def _registered(self) -> dict[str, str]:
        own = f"{self.chance.randrange(256):02x}" + "i" * 19 + f"{self.chance.randrange(999):03d}"
        file_id = self.chance.choice((own, self._other("file_id") or own))
        path = self.chance.choice(PATHS)
        return {"file_id": file_id, "storage_name": "docs", "path": path}

    def _other(self, name: str) -> str | None:
        return self.attacker.others.draw(self.chance, name)

    def _known(self, name: str) -> str:
        pool = self.chance.choice((self.attacker.pool, self.attacker.others))
        return pool.draw(self.chance, name.lower()) or str(values.odd(self.chance, text=True))

    def _wrong(self) -> Any:
        if self.chance.random() < 0.6:
            return values.odd(self.chance)
        pool = self.chance.choice((self.attacker.pool, self.attacker.others))
        return pool.any(self.chance)

    def _body(self, given: dict[str, Any]) -> object:
        if self.chance.random() < 0.04:
            return values.deep(self.chance)
        return given

    def _judge(self, operation: AnyOperation, scope: str, answer: httpx.Response | None) -> None:
        if answer is None or not answer.is_success:
            return
        if operation.name in OPERATORS:
            self.attacker.find(f"a tenant's key may call {operation.name}", operation.name, answer)
        wanted = getattr(operation, "scope", None)
        if scope not in {"all", str(wanted or scope)} and operation.name not in ALWAYS_OWN:
            what = f"a key of scope {scope} may call {operation.name}"
            self.attacker.find(what, operation.name, answer)
