"""Runs the table for each kind of editor on a folder, and for one of them on S3."""

import itertools
from collections.abc import Callable

import pytest

from tests.conformance.cases import CASES, Case
from tests.conformance.report import REPORT, report
from tests.conformance.speaker import Speaker
from tests.flows.conftest import Tenant
from tests.support.cluster import Cluster
from tests.support.editor import EditorClient

pytestmark = pytest.mark.flow

KINDS = ("collabora", "onlyoffice", "m365", "generic")
PAIRS = [
    *(("local", kind) for kind in ("collabora", "m365")),
    *(
        pytest.param(*pair, marks=pytest.mark.check)
        for pair in (("local", "onlyoffice"), ("local", "generic"), ("s3", "collabora"))
    ),
]
"""Storage and kind of editor."""

_numbers = itertools.count()


@pytest.fixture(scope="session")
def storage(
    request: pytest.FixtureRequest, make_tenant: Callable[[str], Tenant], cluster: Cluster
) -> Tenant:
    tenant = make_tenant(request.param)
    with cluster.admin() as admin:
        for kind in KINDS:
            editor = {
                "tenant_id": tenant.tenant_id,
                "name": kind,
                "kind": kind,
                "url": "http://127.0.0.1:9",
                "proof": "off",
            }
            admin.post("/api/editors", json=editor).raise_for_status()
    return tenant


@pytest.mark.parametrize(("storage", "kind"), PAIRS, indirect=["storage"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name[:60])
def test_row(storage: Tenant, kind: str, case: Case) -> None:
    path = f"c{next(_numbers)}/a.txt"
    storage.upload(path, case.content)
    holder = Speaker(_open(storage, path, kind))
    for step in case.before:
        assert holder.say(step).status_code == 200, step
    speaker = holder if case.edit else Speaker(_open(storage, path, kind, edit=False))
    answer = speaker.say(case.step)
    assert answer.status_code == case.status, answer.text
    assert answer.headers.get("X-WOPI-Lock") == case.lock
    if case.status == 409 and case.lock is not None and case.section != "PutRelativeFile":
        assert answer.headers["X-WOPI-LockFailureReason"]
    assert ("X-WOPI-InvalidFileNameError" in answer.headers) is case.invalid
    if case.stored is not None:
        assert storage.download(path) == case.stored


def _open(tenant: Tenant, path: str, kind: str, *, edit: bool = True) -> EditorClient:
    editor = tenant.open(path, edit=edit, editor=kind, options={"containers": True})
    assert tenant.http.get(f"/api/sessions/{editor.session_id}").json()["editor"] == kind
    return editor


def test_the_report_is_current() -> None:
    assert REPORT.read_text("utf-8") == report()
