"""The chart: rendered by Helm itself, valid for Kubernetes, and as strict as it says."""

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any, cast

import kubernetes_validate
import pytest
import yaml
from helm_python.chart import Chart, lint
from helm_python.errors import HelmError

from genro_wopi.adapters.new_keys import new_encryption_key, new_signing_key, verify_keys
from genro_wopi.runtime.setting_loading import load_settings
from genro_wopi.runtime.settings import SETTINGS, Service

pytestmark = pytest.mark.check

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "genro-wopi"
PROFILES = sorted(
    path.stem.removesuffix("-values") for path in (CHART / "ci").glob("*-values.yaml")
)
VERSIONS = ("1.27", "1.34")
FOREIGN = {"PodMonitor", "PrometheusRule", "HTTPRoute", "ExternalSecret"}
"""Of custom resources, which are not in the schemas of Kubernetes."""

SERVICES = {"gateway", "session-service", "wopi-service", "callback-worker"}
SNAPSHOT = Path(__file__).with_name("names.json")

Manifest = dict[str, Any]


@cache
def values_of(profile: str) -> str:
    return (CHART / "ci" / f"{profile}-values.yaml").read_text("utf-8")


def rendered(profile: str, **changes: Any) -> list[Manifest]:
    values = cast("dict[str, Any]", yaml.safe_load(values_of(profile))) | changes
    with Chart.load(CHART) as chart:
        files = chart.render(values, name="wopi", namespace="office")
    return [
        manifest
        for name, text in sorted(files.items())
        if name.endswith(".yaml")
        for manifest in yaml.safe_load_all(text)
        if manifest
    ]


def of_kind(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {m["metadata"]["name"]: m for m in manifests if m["kind"] == kind}


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Return the pods that a release starts, by the name of what starts them."""
    found: dict[str, Manifest] = {}
    for manifest in manifests:
        if manifest["kind"] == "Pod":
            found[manifest["metadata"]["name"]] = manifest["spec"]
        elif manifest["kind"] in {"Deployment", "StatefulSet", "Job"}:
            found[manifest["metadata"]["name"]] = manifest["spec"]["template"]["spec"]
    return found


def test_helm_finds_nothing_wrong() -> None:
    assert lint(CHART)["errors"] == []


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_are_valid(profile: str, version: str) -> None:
    for manifest in rendered(profile):
        if manifest["kind"] not in FOREIGN:
            kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("profile", PROFILES)
def test_pods_may_do_nothing_that_they_need_not(profile: str) -> None:
    for name, pod in pods(rendered(profile)).items():
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True, name
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["limits"]["memory"], name
            assert container["resources"]["requests"]["cpu"], name


@pytest.mark.parametrize("profile", PROFILES)
def test_every_service_can_start_with_its_settings(profile: str, tmp_path: Path) -> None:
    signing = new_signing_key()
    secrets = {
        "admin-token": "a" * 32,
        "internal-token": "i" * 32,
        "redis-url": "redis://redis:6379/0",
        "encryption-keys": new_encryption_key(),
        "signing-keys": signing,
        "verify-keys": verify_keys(signing),
    }
    known = {setting.variable for setting in SETTINGS}
    for service, deployment in services(rendered(profile)).items():
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert container["args"] == ["serve", service]
        mounted = {i["key"] for v in pod["volumes"] if "secret" in v for i in v["secret"]["items"]}
        environment: dict[str, str] = {}
        for entry in container["env"]:
            name, value = str(entry["name"]), str(entry["value"])
            assert not name.startswith("WOPI_") or name.removesuffix("_FILE") in known, name
            if name.endswith("_FILE"):
                key = value.rpartition("/")[2]
                assert key in mounted
                (tmp_path / key).write_text(secrets[key])
                value = os.fspath(tmp_path / key)
            environment[name] = value
        settings = load_settings(environment, Service(service))
        drained = pod["terminationGracePeriodSeconds"]
        assert drained >= settings.drain_seconds + 10
        spools = [v for v in pod["volumes"] if v["name"] == "spool"]
        unsettled = environment["WOPI_UNSETTLED_BYTES_MAX"]
        size = str(settings.spool_bytes_max + int(unsettled)) if spools else ""
        assert all(v["emptyDir"]["sizeLimit"] == size for v in spools)


def services(manifests: list[Manifest]) -> dict[str, Manifest]:
    deployments = of_kind(manifests, "Deployment").values()
    found = {d["metadata"]["labels"]["app.kubernetes.io/component"]: d for d in deployments}
    assert set(found) == SERVICES
    return found


def test_a_service_sees_its_own_secrets_only() -> None:
    seen: dict[str, set[str]] = {}
    for service, deployment in services(rendered("production")).items():
        volumes = deployment["spec"]["template"]["spec"]["volumes"]
        seen[service] = {i["key"] for v in volumes if "secret" in v for i in v["secret"]["items"]}
    assert {s for s, keys in seen.items() if "signing-keys" in keys} == {"session-service"}
    assert {s for s, keys in seen.items() if "admin-token" in keys} == {"gateway"}
    assert {s for s, keys in seen.items() if "internal-token" in keys} == SERVICES - {
        "callback-worker"
    }


def test_only_the_flows_of_the_system_are_open() -> None:
    policies = of_kind(rendered("production"), "NetworkPolicy")
    denied = policies["wopi-genro-wopi-default-deny"]["spec"]
    assert denied["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in denied
    assert "egress" not in denied
    flows: set[tuple[str, str]] = set()
    for service in SERVICES:
        spec = policies[f"wopi-genro-wopi-{service}"]["spec"]
        for rule in spec["ingress"]:
            ports = {p["port"] for p in rule["ports"]}
            assert ports <= {8080, 9100}
            for source in rule["from"]:
                flows.add((component_of(source), f"{service}:{min(ports)}"))
    assert flows == {
        ("ingress-nginx", "gateway:8080"),
        ("ingress-nginx", "wopi-service:8080"),
        ("gateway", "session-service:8080"),
        ("wopi-service", "session-service:8080"),
        ("gateway", "wopi-service:8080"),
        *(("monitoring", f"{service}:9100") for service in SERVICES),
    }


def component_of(source: Manifest) -> str:
    if "podSelector" in source:
        return str(source["podSelector"]["matchLabels"]["app.kubernetes.io/component"])
    return str(source["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"])


def test_metadata_services_of_clouds_are_out_of_reach() -> None:
    for policy in of_kind(rendered("trial"), "NetworkPolicy").values():
        for rule in policy["spec"].get("egress", []):
            for target in rule.get("to", []):
                block = target.get("ipBlock")
                if block:
                    assert "169.254.0.0/16" in block["except"]


def test_wopi_goes_past_the_gateway_with_bodies_of_the_size_that_is_taken() -> None:
    manifests = rendered("production", maxFileBytes=1_000_000)
    ingress = of_kind(manifests, "Ingress")["wopi-genro-wopi"]
    rule = ingress["spec"]["rules"][0]
    backends = {p["path"]: p["backend"]["service"]["name"] for p in rule["http"]["paths"]}
    assert rule["host"] == "wopi.example.org"
    assert backends == {
        "/wopi": "wopi-genro-wopi-gateway",
        "/wopibootstrapper": "wopi-genro-wopi-gateway",
        "/": "wopi-genro-wopi-gateway",
    }
    notes = ingress["metadata"]["annotations"]
    assert notes["nginx.ingress.kubernetes.io/proxy-body-size"] == "1000000"
    assert notes["nginx.ingress.kubernetes.io/proxy-request-buffering"] == "off"
    limits = {
        entry["value"]
        for deployment in services(manifests).values()
        for entry in deployment["spec"]["template"]["spec"]["containers"][0]["env"]
        if entry["name"] == "WOPI_FILE_BYTES_MAX"
    }
    assert limits == {"1000000"}


def test_a_route_of_the_gateway_api_does_the_same() -> None:
    route = of_kind(rendered("gateway-api"), "HTTPRoute")["wopi-genro-wopi"]["spec"]
    assert route["hostnames"] == ["wopi.example.org"]
    wopi, others = route["rules"]
    assert [m["path"]["value"] for m in wopi["matches"]] == ["/wopi", "/wopibootstrapper"]
    assert wopi["backendRefs"][0]["name"].endswith("-gateway")
    assert others["backendRefs"][0]["name"].endswith("-gateway")


def test_the_gateway_passes_wopi_on_but_where_a_route_goes_past_it() -> None:
    def forwards(profile: str, **changes: Any) -> bool:
        manifests = rendered(profile, **changes)
        env = services(manifests)["gateway"]["spec"]["template"]["spec"]["containers"][0]
        return any(e["name"] == "WOPI_WOPI_SERVICE_URLS" for e in env["env"])

    assert forwards("trial")
    assert forwards("trial", wopiThrough="wopi-service"), "nobody else does"
    assert forwards("production")
    assert not forwards("production", wopiThrough="wopi-service")
    assert not forwards("gateway-api", wopiThrough="wopi-service")


def test_past_the_gateway_routes_lead_to_the_wopi_service() -> None:
    ingress = of_kind(rendered("production", wopiThrough="wopi-service"), "Ingress")
    paths = ingress["wopi-genro-wopi"]["spec"]["rules"][0]["http"]["paths"]
    assert paths[0]["backend"]["service"]["name"] == "wopi-genro-wopi-wopi-service"
    route = of_kind(rendered("gateway-api", wopiThrough="wopi-service"), "HTTPRoute")
    rules = route["wopi-genro-wopi"]["spec"]["rules"]
    assert rules[0]["backendRefs"][0]["name"] == "wopi-genro-wopi-wopi-service"


def test_what_waits_to_be_stored_may_outlive_its_pod() -> None:
    manifests = services(rendered("production", spool={"claimName": "spool"}))
    volumes = manifests["wopi-service"]["spec"]["template"]["spec"]["volumes"]
    claimed = [v for v in volumes if v["name"] == "spool"]
    assert claimed == [{"name": "spool", "persistentVolumeClaim": {"claimName": "spool"}}]
    others = manifests["gateway"]["spec"]["template"]["spec"]["volumes"]
    assert "emptyDir" in next(v for v in others if v["name"] == "spool")


def test_rolling_updates_take_nothing_away_first() -> None:
    manifests = rendered("production")
    for deployment in services(manifests).values():
        rolling = deployment["spec"]["strategy"]["rollingUpdate"]
        assert (rolling["maxUnavailable"], rolling["maxSurge"]) == (0, 1)
    budgets = of_kind(manifests, "PodDisruptionBudget")
    assert {b["spec"]["maxUnavailable"] for b in budgets.values()} == {1}
    assert len(budgets) == len(SERVICES)


def test_scaled_services_have_no_replicas_of_their_own() -> None:
    manifests = rendered("production")
    scaled = set(of_kind(manifests, "HorizontalPodAutoscaler"))
    for name, deployment in of_kind(manifests, "Deployment").items():
        assert ("replicas" in deployment["spec"]) == (name not in scaled)


def test_wopi_services_scale_by_the_bytes_of_saves_in_flight() -> None:
    def metrics_of(profile: str) -> list[dict[str, Any]]:
        scaler = of_kind(rendered(profile), "HorizontalPodAutoscaler")[
            "wopi-genro-wopi-wopi-service"
        ]
        return scaler["spec"]["metrics"]

    pods = [m["pods"] for m in metrics_of("production") if m["type"] == "Pods"]
    assert pods == [
        {
            "metric": {"name": "wopi_spooled_bytes"},
            "target": {"type": "AverageValue", "averageValue": "256Mi"},
        }
    ]
    assert [m["type"] for m in metrics_of("gateway-api")] == ["Resource"]


def test_tenants_are_applied_after_each_upgrade() -> None:
    manifests = rendered("production", configurationPrune=True)
    job = of_kind(manifests, "Job")["wopi-genro-wopi-configuration"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "post-install,post-upgrade"
    args = job["spec"]["template"]["spec"]["containers"][0]["args"]
    assert args == ["apply", "-f", "/etc/genro-wopi/wopi.yaml", "--yes", "--prune"]
    document = of_kind(manifests, "ConfigMap")["wopi-genro-wopi-configuration"]["data"]["wopi.yaml"]
    assert yaml.safe_load(document)["tenants"][0]["id"] == "acme"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"secrets": {"existingSecret": "x"}}, "publicUrl: say how browsers reach the gateway"),
        ({"publicUrl": "https://x"}, "secrets.existingSecret or secrets.values.admin-token"),
        ({"publicUrl": "wopi.example.org"}, "publicUrl"),
        ({"publicUrl": "https://x", "colour": "red"}, "colour"),
        ({"publicUrl": "https://x", "gateway": {"replicas": "two"}}, "replicas"),
    ],
    ids=str,
)
def test_what_is_missing_or_wrong_is_said(values: dict[str, Any], message: str) -> None:
    with pytest.raises(HelmError, match=re.escape(message)):
        checked(values)


def checked(values: dict[str, Any]) -> None:
    with Chart.load(CHART) as chart:
        chart.validate_schema(values)
        chart.render(values, name="wopi", namespace="office")


def test_every_value_is_used_and_has_a_type() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    assert set(schema["properties"]) - {"global"} == set(values)
    templates = "".join(
        p.read_text("utf-8") for p in (CHART / "templates").rglob("*") if p.is_file()
    )
    used = {"gateway", "sessionService", "wopiService", "callbackWorker"}
    assert all(f".Values.{name}" in templates or name in used for name in values)


def test_names_and_selectors_stay_over_upgrades() -> None:
    """A selector that changes makes an upgrade impossible. WOPI_WRITE_DOCS=1 writes them anew."""
    found = {
        f"{m['kind']}/{m['metadata']['name']}": m["spec"].get("selector")
        for m in rendered("production")
        if m["kind"] in {"Deployment", "Service", "PodDisruptionBudget"}
    }
    if os.environ.get("WOPI_WRITE_DOCS"):
        SNAPSHOT.write_text(json.dumps(found, indent=2) + "\n")
    assert found == json.loads(SNAPSHOT.read_text("utf-8"))
