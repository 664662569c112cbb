"""A real Prometheus scrapes a running cluster: all that alerts and dashboards ask for is there."""

import re
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.deploy.test_alerts import ALERTS, FILES, RULES, expressions
from tests.flows.conftest import Tenant
from tests.support import tools
from tests.support.cluster import Cluster
from tests.support.servers import free_port, wait_for_port

pytestmark = [pytest.mark.flow, pytest.mark.check]

SCRAPED_S = 30.0
_SUFFIX = re.compile(r"_(?:bucket|count|sum)$")
COMPONENTS = ("gateway", "session-service", "wopi-service", "callback-worker")


@contextmanager
def prometheus(cluster: Cluster, folder: Path) -> Generator[httpx.Client]:
    """Scrape a cluster every second; yields a client of the API."""
    binary = tools.needed("Prometheus")
    targets = [
        {
            "targets": [f"127.0.0.1:{port}"],
            "labels": {"app_kubernetes_io_component": COMPONENTS[number % len(COMPONENTS)]},
        }
        for number, port in enumerate(cluster.metrics_ports())
    ]
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(FILES / "rules.yaml")],
        "scrape_configs": [{"job_name": "genro-wopi", "static_configs": targets}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    process = subprocess.Popen(
        [
            binary,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
    )
    try:
        wait_for_port(port)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=10) as api:
            yield api
    finally:
        process.terminate()
        process.wait()


def asked(api: httpx.Client, path: str, **query: str) -> Any:
    answer = api.get(path, params=query)
    return answer.json()["data"] if answer.status_code == 200 else {}


def test_what_alerts_and_dashboards_ask_for_is_scraped(
    cluster: Cluster, make_tenant: Callable[[], Tenant], tmp_path: Path
) -> None:
    tenant = make_tenant()
    tenant.upload("a.txt", b"x")
    editor = tenant.open()
    editor.get()
    editor.override("LOCK", "L")
    assert editor.put(b"saved", "L").status_code == 200
    wanted = {
        _SUFFIX.sub("", name)
        for expression in expressions().values()
        for name in re.findall(r"\b(?:wopi|process)_[a-z0-9_]+", expression)
    }
    recorded = {r["record"] for g in RULES["groups"] for r in g["rules"] if "record" in r}
    with prometheus(cluster, tmp_path) as api:
        deadline = time.monotonic() + SCRAPED_S
        missing, empty = wanted, recorded
        while (missing or empty) and time.monotonic() < deadline:
            time.sleep(1)
            known = set(asked(api, "/metadata"))
            missing = wanted - known - {f"{name}_total" for name in known}
            empty = {
                name for name in recorded if not asked(api, "/query", query=name).get("result")
            }
        assert not missing
        assert not empty
        down = asked(api, "/query", query="up == 0")
        assert down["result"] == []
        rules = asked(api, "/rules")["groups"]
        states = {r["name"]: r for g in rules for r in g["rules"] if r["type"] == "alerting"}
        assert set(states) == set(ALERTS)
        assert all(r["health"] == "ok" for r in states.values())
        series = asked(api, "/series", **{"match[]": '{__name__=~"wopi_.*"}'})
        labels = {label for one in series for label in one}
        assert not labels & {"tenant", "tenant_id", "file_id", "file_path", "session_id", "token"}
