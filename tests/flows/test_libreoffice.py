"""Real office documents: LibreOffice opens what the templates make and what a save stored."""

import subprocess
from pathlib import Path

import pytest

from tests.flows.conftest import Tenant
from tests.support import tools

pytestmark = [pytest.mark.flow, pytest.mark.check, pytest.mark.timeout(240)]

SAMPLES = Path(__file__).parents[2] / "deploy" / "demo_app" / "samples"
TEMPLATES = ("docx", "xlsx", "pptx", "odt", "ods", "odp")
CONVERT_S = 180


@pytest.fixture(scope="module")
def soffice() -> str:
    return tools.needed("LibreOffice")


def converted(soffice: str, folder: Path, files: list[Path], to: str) -> dict[str, bytes]:
    """Let LibreOffice open files and write them in another format; those that it could, by name."""
    profile = (folder / "profile").as_uri()
    command = [soffice, f"-env:UserInstallation={profile}", "--headless", "--convert-to", to]
    subprocess.run(
        [*command, "--outdir", str(folder / "out"), *map(str, files)],
        check=True,
        capture_output=True,
        timeout=CONVERT_S,
    )
    return {f.name: f.read_bytes() for f in (folder / "out").iterdir()}


def test_new_files_of_every_template_are_opened(
    shared_tenant: Tenant, soffice: str, tmp_path: Path
) -> None:
    files: list[Path] = []
    for kind in TEMPLATES:
        path = f"office/new-{kind}.{kind}"
        url = f"/api/storages/{shared_tenant.storage}/files"
        answer = shared_tenant.http.post(url, json={"path": path, "template": kind})
        assert answer.status_code == 201, answer.text
        file = tmp_path / Path(path).name
        file.write_bytes(shared_tenant.download(path))
        files.append(file)
    pages = converted(soffice, tmp_path, files, "pdf")
    assert set(pages) == {f"new-{kind}.pdf" for kind in TEMPLATES}
    assert all(page.startswith(b"%PDF") for page in pages.values())


def test_a_document_goes_through_a_save_byte_for_byte(
    tenant: Tenant, soffice: str, tmp_path: Path
) -> None:
    content = (SAMPLES / "offer.docx").read_bytes()
    tenant.upload("offer.docx", b"")
    editor = tenant.open("offer.docx")
    editor.override("LOCK", "L")
    assert editor.put(content, "L").status_code == 200
    stored = editor.get().content
    assert stored == content
    file = tmp_path / "offer.docx"
    file.write_bytes(stored)
    (text,) = converted(soffice, tmp_path, [file], "txt:Text").values()
    assert "forty chairs" in text.decode()
