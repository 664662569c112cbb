"""Every alert fires where it should and nowhere else; every metric that is asked for exists."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from genro_wopi.runtime import metrics
from tests.support import tools

ROOT = Path(__file__).parents[2]
FILES = ROOT / "helm" / "genro-wopi" / "files"
RULES: dict[str, Any] = yaml.safe_load((FILES / "rules.yaml").read_text("utf-8"))
ALERTS = {r["alert"]: r for g in RULES["groups"] for r in g["rules"] if "alert" in r}

WELL = {
    'up{app_kubernetes_io_component="gateway"}': "1x120",
    'wopi_requests_total{operation="put_file",status="200"}': "0+60x120",
    'wopi_requests_total{operation="put_file",status="503"}': "0x120",
    'wopi_requests_total{operation="lock",status="200"}': "0+60x120",
    'wopi_requests_total{operation="lock",status="503"}': "0x120",
    'wopi_requests_total{operation="put_file",status="507"}': "0x120",
    'wopi_request_duration_seconds_bucket{operation="lock",le="0.01"}': "0+60x120",
    'wopi_request_duration_seconds_bucket{operation="lock",le="+Inf"}': "0+60x120",
    "wopi_saves_rescued_total": "0x120",
    "wopi_unsettled_saves": "0x120",
    'wopi_unsettled_outcomes_total{outcome="no_room"}': "0x120",
    'wopi_proof_failures_total{reason="no_key"}': "0x120",
    "wopi_saves_in_flight": "3x120",
    'wopi_storage_failures_total{protocol="s3"}': "0x120",
    'wopi_storage_seconds_count{protocol="s3"}': "0+600x120",
    'wopi_storage_circuits_open{protocol="s3"}': "0x120",
    'wopi_storages{protocol="s3",conformance="A"}': "3x120",
    'wopi_redis_failures_total{kind="TimeoutError"}': "0x120",
    'wopi_redis_round_trip_seconds_bucket{le="0.001"}': "0+600x120",
    'wopi_redis_round_trip_seconds_bucket{le="+Inf"}': "0+600x120",
    'wopi_event_lag_seconds_bucket{le="25.0"}': "0+60x120",
    "wopi_event_lag_seconds_count": "0+60x120",
    "wopi_event_backlogs_full": "0x120",
    "wopi_event_dead_letters": "4x120",
    'wopi_api_requests_total{status="200"}': "0+60x120",
    'wopi_api_requests_total{status="503"}': "0x120",
}
"""What a cluster shows in which all is well, once a minute."""

BROKEN: dict[str, dict[str, str]] = {
    "WopiServiceDown": {'up{app_kubernetes_io_component="gateway"}': "0x120"},
    "WopiSavesFail": {'wopi_requests_total{operation="put_file",status="503"}': "0+3x120"},
    "WopiLocksFail": {'wopi_requests_total{operation="lock",status="503"}': "0+3x120"},
    "WopiRequestsFail": {'wopi_requests_total{operation="lock",status="503"}': "0+9x120"},
    "WopiSlow": {
        'wopi_request_duration_seconds_bucket{operation="lock",le="0.01"}': "0+1x120",
        'wopi_request_duration_seconds_bucket{operation="lock",le="2.5"}': "0+60x120",
    },
    "WopiSavesRescued": {"wopi_saves_rescued_total": "0x60 1x60"},
    "WopiSavesUnsettled": {"wopi_unsettled_saves": "2x120"},
    "WopiProofsRefused": {'wopi_proof_failures_total{reason="no_key"}': "0+1x120"},
    "WopiSavesPileUp": {"wopi_saves_in_flight": "300x120"},
    "WopiStorageFull": {'wopi_requests_total{operation="put_file",status="507"}': "0+1x120"},
    "WopiStorageFails": {'wopi_storage_failures_total{protocol="s3"}': "0+30x120"},
    "WopiStorageLeftAlone": {'wopi_storage_circuits_open{protocol="s3"}': "1x120"},
    "WopiStorageUnsafe": {'wopi_storages{protocol="s3",conformance="none"}': "1x120"},
    "WopiRedisFails": {'wopi_redis_failures_total{kind="TimeoutError"}': "0+20x120"},
    "WopiRedisSlow": {
        'wopi_redis_round_trip_seconds_bucket{le="0.001"}': "0+1x120",
        'wopi_redis_round_trip_seconds_bucket{le="0.25"}': "0+600x120",
    },
    "WopiEventsLate": {'wopi_event_lag_seconds_bucket{le="25.0"}': "0+50x120"},
    "WopiEventBacklogFull": {"wopi_event_backlogs_full": "1x120"},
    "WopiDeadLetters": {"wopi_event_dead_letters": "4x60 9x60"},
    "WopiApiFails": {'wopi_api_requests_total{status="503"}': "0+3x120"},
}
LOOKED_AT = "70m"


@pytest.fixture(scope="module")
def promtool() -> str:
    return tools.needed("promtool")


def run(promtool: str, folder: Path, *words: str) -> None:
    done = subprocess.run(
        [promtool, *words], capture_output=True, text=True, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stdout + done.stderr


def case(series: dict[str, str], alert: str, *, fires: bool) -> dict[str, Any]:
    rule = ALERTS[alert]
    labels = {**rule["labels"]}
    if alert == "WopiServiceDown":
        labels["app_kubernetes_io_component"] = "gateway"
    if alert == "WopiSlow":
        labels["operation"] = "lock"
    if alert == "WopiProofsRefused":
        labels["reason"] = "no_key"
    if alert.startswith("WopiStorage") and alert != "WopiStorageFull":
        labels["protocol"] = "s3"
    expected = {"exp_labels": labels, "exp_annotations": rule["annotations"]}
    return {
        "interval": "1m",
        "input_series": [{"series": k, "values": v} for k, v in series.items()],
        "alert_rule_test": [
            {"eval_time": LOOKED_AT, "alertname": alert, "exp_alerts": [expected] if fires else []}
        ],
    }


@pytest.mark.check
def test_every_alert_fires_where_it_should_and_only_there(promtool: str, tmp_path: Path) -> None:
    assert set(BROKEN) == set(ALERTS)
    cases = [case(WELL, alert, fires=False) for alert in ALERTS]
    cases += [case(WELL | broken, alert, fires=True) for alert, broken in BROKEN.items()]
    document = {
        "rule_files": [str(FILES / "rules.yaml")],
        "evaluation_interval": "1m",
        "tests": cases,
    }
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(document))
    run(promtool, tmp_path, "check", "rules", str(FILES / "rules.yaml"))
    run(promtool, tmp_path, "test", "rules", "tests.yaml")


def expressions() -> dict[str, str]:
    found = {
        str(rule.get("alert", rule.get("record"))): str(rule["expr"])
        for group in RULES["groups"]
        for rule in group["rules"]
    }
    for board in (FILES / "dashboards").glob("*.json"):
        for panel in json.loads(board.read_text("utf-8"))["panels"]:
            for target in panel["targets"]:
                found[f"{board.stem}: {panel['title']} {target['refId']}"] = target["expr"]
    return found


@pytest.mark.check
def test_dashboards_can_be_evaluated(promtool: str, tmp_path: Path) -> None:
    rules = [
        {"record": f"dashboard:panel:{number}", "expr": expression}
        for number, expression in enumerate(expressions().values())
    ]
    (tmp_path / "rules.yaml").write_text(
        yaml.safe_dump({"groups": [{"name": "x", "rules": rules}]})
    )
    run(promtool, tmp_path, "check", "rules", "rules.yaml")


def test_every_metric_that_is_asked_for_exists() -> None:
    assert metrics.WOPI_REQUESTS is not None
    shown = {sample.name for family in REGISTRY.collect() for sample in family.samples}
    shown |= {family.name + suffix for family in REGISTRY.collect() for suffix in SUFFIXES}
    recorded = {str(r["record"]) for g in RULES["groups"] for r in g["rules"] if "record" in r}
    for name, expression in expressions().items():
        asked = set(re.findall(r"\b(?:wopi|process)[_:][a-z0-9_:]+", expression))
        assert asked <= shown | recorded, name


SUFFIXES = ("", "_total", "_bucket", "_count", "_sum")


def test_every_alert_has_its_page() -> None:
    page = (ROOT / "docs" / "runbooks.md").read_text("utf-8")
    headings = {line[3:].strip().lower() for line in page.splitlines() if line.startswith("## ")}
    for alert, rule in ALERTS.items():
        place, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert place == "docs/runbooks.md"
        assert anchor in headings, alert
