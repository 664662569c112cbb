"""The processes of the local cluster, and the environment of each."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from genro_wopi.adapters.new_keys import verify_keys
from genro_wopi.dev.data_folder import DataFolder, Keys
from genro_wopi.dev.errors import DevError
from genro_wopi.dev.ports import LOOPBACK, Ports
from genro_wopi.dev.supervisor import Process
from genro_wopi.runtime.lifecycle import EXIT_CONFIGURATION
from genro_wopi.runtime.setting_loading import ConfigurationError, load_settings
from genro_wopi.runtime.settings import SETTINGS, Service

DRAIN_SECONDS: Final = "1"
EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - what --host may be


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What `genro-wopi dev` was asked for."""

    host: str
    port: int
    data_dir: Path
    replicas: int
    demo: bool
    log_format: str

    @property
    def own_url(self) -> str:
        """Where this machine reaches the gateway."""
        host = LOOPBACK if self.host == EVERYWHERE else self.host
        return f"http://{host}:{self.port}"


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """The ports of the processes."""

    redis: int
    session: int
    wopi: tuple[int, ...]
    editor: int
    demo: int
    metrics: Mapping[str, int]
    """By the name of the process."""


def demo_folder() -> Path | None:
    """Return the folder of dev editor and demo application; None outside of a source tree."""
    folder = Path(__file__).resolve().parents[3] / "deploy"
    return folder if (folder / "dev_editor").is_dir() else None


def choose_ports(plan: Plan, ports: Ports) -> Addresses:
    """Take a port for every process.

    Raises:
        DevError: the gateway's port is in use.
    """
    ports.claim(plan.port)
    names = ["session-service", "callback-worker", "gateway"]
    names += [f"wopi-service-{number + 1}" for number in range(plan.replicas)]
    return Addresses(
        redis=ports.any_of_loopback(),
        session=ports.any(),
        wopi=tuple(ports.any() for _ in range(plan.replicas)),
        editor=ports.any_of_loopback(),
        demo=ports.any_of_loopback(),
        metrics={name: ports.any() for name in names},
    )


def given_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with the content of ``WOPI_X_FILE`` as ``WOPI_X``.

    Raises:
        DevError: such a file cannot be read.
    """
    given = dict(environment)
    for setting in SETTINGS:
        file = given.pop(f"{setting.variable}_FILE", "")
        try:
            if file:
                given[setting.variable] = Path(file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise DevError(
                f"{setting.variable}_FILE cannot be used: {error}", EXIT_CONFIGURATION
            ) from error
        if not given.get(setting.variable):
            given.pop(setting.variable, None)  # Empty means: not set.
    return given


def shared_environment(
    plan: Plan, given: Mapping[str, str], folder: DataFolder, keys: Keys, addresses: Addresses
) -> dict[str, str]:
    """Return what all processes get; `given` wins over defaults.

    Raises:
        DevError: the signing keys cannot be used.
    """
    host = LOOPBACK if plan.host == EVERYWHERE else plan.host
    allowed = "loopback" if host in (LOOPBACK, "localhost") else f"loopback,{host}"
    signing_keys = given.get("WOPI_SIGNING_KEYS", keys.signing_keys)
    defaults = {
        "WOPI_PUBLIC_URL": plan.own_url,
        "WOPI_INTERNAL_TOKEN": keys.internal_token,
        "WOPI_ENCRYPTION_KEYS": keys.encryption_keys,
        "WOPI_SIGNING_KEYS": signing_keys,
        "WOPI_VERIFY_KEYS": _public(signing_keys),
        "WOPI_LOCAL_ROOTS": str(folder.files),
        "WOPI_CALLBACK_ALLOW": allowed,
        "WOPI_STORAGE_ALLOW": allowed,
        "WOPI_EDITOR_ALLOW": allowed,
        "WOPI_SPOOL_DIR": str(folder.spool),
        "WOPI_DRAIN_SECONDS": DRAIN_SECONDS,
        "WOPI_LOG_FORMAT": plan.log_format,
    }
    forced = {
        "WOPI_REDIS_URL": given.get("WOPI_REDIS_URL", f"redis://{LOOPBACK}:{addresses.redis}/0"),
        "WOPI_HOST": plan.host,
        "WOPI_ADMIN_TOKEN": keys.admin_token,
        "WOPI_SESSION_SERVICE_URL": f"http://{host}:{addresses.session}",
        "WOPI_WOPI_SERVICE_URLS": ",".join(f"http://{host}:{port}" for port in addresses.wopi),
    }
    if plan.demo:
        routes = (("/demo", addresses.demo), ("/editor", addresses.editor))
        forced["WOPI_GATEWAY_ROUTES"] = ",".join(f"{p}=http://{LOOPBACK}:{n}" for p, n in routes)
    shared = {**defaults, **given, **forced}
    for variable in ("NO_PROXY", "no_proxy"):  # Else a proxy is asked for this machine.
        own = [LOOPBACK, "localhost", plan.host]
        shared[variable] = ",".join(filter(None, [given.get(variable, ""), *own]))
    return shared


def service_processes(plan: Plan, shared: Mapping[str, str], addresses: Addresses) -> list[Process]:
    """Return the services' processes; what each is configured with is checked.

    Raises:
        DevError: settings are wrong; each has a line.
    """
    parts: list[tuple[Service, str, int]] = [
        (Service.SESSION, "session-service", addresses.session),
        *(
            (Service.WOPI, f"wopi-service-{number + 1}", port)
            for number, port in enumerate(addresses.wopi)
        ),
        (Service.CALLBACK, "callback-worker", 0),
        (Service.GATEWAY, "gateway", plan.port),
    ]
    processes = [
        (service, _service(service, name, shared, port, addresses)) for service, name, port in parts
    ]
    problems: dict[str, None] = {}
    for service, process in processes:
        try:
            load_settings(process.environment, service)
        except ConfigurationError as error:
            problems |= dict.fromkeys(error.problems)
    if problems:
        raise DevError("; ".join(problems), EXIT_CONFIGURATION)
    return [process for _, process in processes]


def demo_processes(
    shared: Mapping[str, str], folder: DataFolder, addresses: Addresses
) -> list[Process]:
    """Return the dev editor and the demo application."""
    sources = demo_folder()
    if sources is None:
        return []
    demo = {**shared, "PYTHONPATH": str(sources), "DEMO_DATA_DIR": str(folder.path)}
    return [
        Process(
            name=module.replace("_", "-"),
            command=(sys.executable, "-m", module),
            environment={**demo, "DEMO_PORT": str(port)},
        )
        for module, port in (("dev_editor", addresses.editor), ("demo_app", addresses.demo))
    ]


def _service(
    service: Service, name: str, shared: Mapping[str, str], port: int, addresses: Addresses
) -> Process:
    environment = {**shared, "WOPI_METRICS_PORT": str(addresses.metrics[name])}
    if port:
        environment["WOPI_PORT"] = str(port)
    else:
        environment.pop("WOPI_PORT", None)
    module = service.value.replace("-", "_")
    command = (sys.executable, "-m", f"genro_wopi.{module}")
    return Process(name=name, command=command, environment=environment)


def _public(signing_keys: str) -> str:
    try:
        return verify_keys(signing_keys)
    except ValueError as error:
        raise DevError(
            f"WOPI_SIGNING_KEYS cannot be used ({error}); `genro-wopi keys` draws some",
            EXIT_CONFIGURATION,
        ) from error
