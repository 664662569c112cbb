"""Settings: all problems at once, with the variable's name and an example."""

import subprocess
import sys
from pathlib import Path

import pytest

from genro_wopi.adapters.new_keys import new_encryption_key, new_signing_key, verify_keys
from genro_wopi.runtime.logs import redact
from genro_wopi.runtime.setting_loading import ConfigurationError, load_settings
from genro_wopi.runtime.settings import SETTINGS, Service

GOOD = {
    "WOPI_REDIS_URL": "redis://localhost:6379/0",
    "WOPI_PUBLIC_URL": "https://wopi.example.org",
    "WOPI_ENCRYPTION_KEYS": new_encryption_key(),
    "WOPI_SIGNING_KEYS": new_signing_key(),
    "WOPI_ADMIN_TOKEN": "x" * 32,
    "WOPI_INTERNAL_TOKEN": "x" * 32,
    "WOPI_SESSION_SERVICE_URL": "http://session-service:8080",
}
GOOD["WOPI_VERIFY_KEYS"] = verify_keys(GOOD["WOPI_SIGNING_KEYS"])


@pytest.mark.parametrize("service", list(Service))
def test_good_settings_are_read(service: Service) -> None:
    settings = load_settings(GOOD, service)
    assert settings.redis_url.reveal() == GOOD["WOPI_REDIS_URL"]


def test_every_missing_setting_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as error:
        load_settings({}, Service.GATEWAY)
    named = " ".join(error.value.problems)
    for setting in SETTINGS:
        if setting.default is None and Service.GATEWAY in setting.services:
            assert f"{setting.variable} is not set. Example: {setting.variable}=" in named


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WOPI_REDIS_URL", "localhost"),
        ("WOPI_PUBLIC_URL", "wopi.example.org"),
        ("WOPI_PORT", "0"),
        ("WOPI_PORT", "x"),
        ("WOPI_ADMIN_TOKEN", "short"),
        ("WOPI_ENCRYPTION_KEYS", "k1:dG9vc2hvcnQ="),
        ("WOPI_LOCAL_ROOTS", "/"),
        ("WOPI_LOG_FORMAT", "xml"),
        ("WOPI_EVENT_PARTITIONS", "1000"),
        ("WOPI_ADMIN_TOKEN_FILE", "/does/not/exist"),
    ],
)
def test_a_wrong_value_is_named(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        load_settings({**GOOD, variable: value}, Service.GATEWAY)
    assert variable.removesuffix("_FILE") in error.value.problems[0]


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("t" * 40 + "\n")
    settings = load_settings({**GOOD, "WOPI_ADMIN_TOKEN_FILE": str(file)}, Service.GATEWAY)
    assert settings.admin_token.reveal() == "t" * 40


def test_secrets_do_not_print() -> None:
    printed = repr(load_settings(GOOD, Service.GATEWAY))
    assert GOOD["WOPI_ADMIN_TOKEN"] not in printed


def test_a_process_without_settings_says_why_and_exits_with_2() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "genro_wopi.gateway"],
        env={"PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "WOPI_REDIS_URL is not set" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "secret",
    [
        "http://x/wopi/files/1?access_token=eyJhbGciOi",
        "Bearer abcdefghijklmnop",
        "eyJhbGciOiJFZERTQSJ9.eyJzaWQiOiIwOE1.c2lnbmF0dXJl",
        "gwk_acme.a6dfc5ef.RsxDZKaEoaUyJsO8",
        "redis://user:hunter22@redis:6379",
    ],
)
def test_what_looks_like_a_credential_is_blotted_out(secret: str) -> None:
    shown = redact(f"before {secret} after")
    assert "***" in shown
    assert not any(word in shown for word in ("eyJ", "abcdefgh", "Rsx", "hunter22"))
