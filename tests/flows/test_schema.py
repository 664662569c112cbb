"""What OpenAPI promises holds for requests that nobody thought of: statuses, bodies, no 5xx."""

import os
from collections.abc import Generator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from genro_wopi.management.catalog import OPERATIONS
from genro_wopi.management.openapi import openapi_document
from genro_wopi.management.operation import Access
from tests.support.cluster import ADMIN_TOKEN, Cluster, running_cluster

pytestmark = [pytest.mark.flow, pytest.mark.check]

EXAMPLES = int(os.environ.get("WOPI_FUZZ_EXAMPLES", "12"))
"""Requests of each kind for each operation; more of them find more."""

LEFT_OUT = {"instance.suspend"}
"""It makes the others answer 503, as it should."""

OF_THE_SERVER = {414, 431}
"""An address or head so long that no operation sees it."""

untyped: Any = checks
HELD: list[Any] = [
    untyped.status_code_conformance,
    untyped.content_type_conformance,
    untyped.response_schema_conformance,
]

schema: Any = schemathesis.openapi.from_dict(
    openapi_document(version="0", server_url="http://host")
)
ADMIN_ONLY = {o.name for o in OPERATIONS if o.access is Access.ADMIN}


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Cluster, str]]:
    with running_cluster(tmp_path_factory.mktemp("fuzzed"), "--no-demo") as cluster:
        with cluster.admin() as admin:
            key = admin.post("/api/tenants", json={"id": "acme"}).json()["api_key"]
            config = {"base_path": str(cluster.data_dir / "files" / "acme")}
            storage = {"name": "docs", "protocol": "local", "config": config}
            body = {"tenant_id": "acme", **storage}
            admin.post("/api/storages", json=body).raise_for_status()
            path = {"tenant_id": "acme", "path": "offers/offer.odt"}
            admin.put("/api/storages/docs/files/content", params=path, content=b"x")
        yield cluster, key


def operations() -> dict[str, Any]:
    named: dict[str, Any] = {}
    for result in schema.get_all_operations():
        operation = result.ok()
        named[str(operation.definition.raw["operationId"])] = operation
    return {name: o for name, o in named.items() if name not in LEFT_OUT}


NAMED = operations()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda m: m.value)
@pytest.mark.parametrize("name", sorted(NAMED))
def test_an_operation_answers_as_it_says(
    fuzzed: tuple[Cluster, str], name: str, mode: GenerationMode
) -> None:
    cluster, key = fuzzed
    token = ADMIN_TOKEN if name in ADMIN_ONLY else key

    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
    )
    @given(case=NAMED[name].as_strategy(generation_mode=mode))
    def holds(case: Any) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        answer = case.call(base_url=cluster.url, headers=headers, timeout=30)
        assert answer.status_code < 500, (
            f"{answer.status_code} {answer.text} to {case.as_curl_command()}"
        )
        if answer.status_code not in OF_THE_SERVER:
            case.validate_response(answer, checks=HELD)

    try:
        holds()
    except Exception as error:
        if type(error).__name__ != "Unsatisfiable":
            raise
