"""Variables of the environment: settings, what Kubernetes makes, and misspelt ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from service.cli import app
from service.cli.configuration import settings_with_options
from service.environment import is_service_link, remarks
from service.settings import Settings
from tests.service.server import run_handful

# As in a pod of a namespace with Services handful and handful-api.
SERVICE_LINKS = {
    "HANDFUL_PORT": "tcp://10.0.0.1:8000",
    "HANDFUL_SERVICE_HOST": "10.0.0.1",
    "HANDFUL_SERVICE_PORT": "8000",
    "HANDFUL_SERVICE_PORT_HTTP": "8000",
    "HANDFUL_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "HANDFUL_PORT_8000_TCP_ADDR": "10.0.0.1",
    "HANDFUL_PORT_8000_TCP_PORT": "8000",
    "HANDFUL_PORT_8000_TCP_PROTO": "tcp",
    "HANDFUL_API_PORT": "udp://10.0.0.2:53",
    "HANDFUL_API_SERVICE_HOST": "10.0.0.2",
    "HANDFUL_API_SERVICE_PORT": "53",
    "HANDFUL_API_PORT_53_UDP_ADDR": "10.0.0.2",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"HANDFUL_{name.upper()}", raising=False)
    return monkeypatch


def test_service_links_are_no_settings(environment: pytest.MonkeyPatch) -> None:
    for name, value in SERVICE_LINKS.items():
        environment.setenv(name, value)
    environment.setenv("HANDFUL_HOST", "0.0.0.0")
    settings = Settings()
    assert (settings.host, settings.port) == ("0.0.0.0", 8000)
    [remark] = remarks(Settings)
    assert "Kubernetes" in remark
    for name in SERVICE_LINKS:
        assert name in remark
    assert "HANDFUL_HOST" not in remark


def test_a_port_of_a_person_is_a_setting_beside_service_links(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("HANDFUL_SERVICE_HOST", "10.0.0.1")
    environment.setenv("HANDFUL_PORT", "9000")
    assert Settings().port == 9000
    assert settings_with_options(port=9001).port == 9001


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("HANDFUL_MAX_IMAGE_BYTE", "HANDFUL_MAX_IMAGE_BYTES"),
        ("HANDFUL_BACK_BONE", "HANDFUL_BACKBONE"),
        ("HANDFUL_DATADIR", "HANDFUL_DATA_DIR"),
        ("handful_prot", "HANDFUL_PORT"),
        ("HANDFUL_CORS_ORIGIN", "HANDFUL_CORS_ORIGINS"),
    ],
)
def test_a_misspelt_setting_is_warned_of_with_the_nearest(
    environment: pytest.MonkeyPatch, written: str, meant: str
) -> None:
    environment.setenv(written, "1")
    [remark] = remarks(Settings)
    assert written in remark
    assert remark.endswith(f"did you mean {meant}?")


def test_an_unknown_setting_is_warned_of(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HANDFUL_ZZZ", "1")
    assert remarks(Settings) == ["HANDFUL_ZZZ is no setting and is ignored"]
    environment.delenv("HANDFUL_ZZZ")
    environment.setenv("HANDFUL_PORT", "9000")
    assert remarks(Settings) == []


def test_a_command_says_what_it_ignores_and_fails_at_what_is_wrong() -> None:
    ended = run_handful("serve", port="tcp://10.0.0.1:8000", host_name="x", max_image_pixels="many")
    assert ended.returncode == 2
    assert "warning: Kubernetes made HANDFUL_PORT for a Service" in ended.stderr
    assert "warning: HANDFUL_HOST_NAME is no setting and is ignored" in ended.stderr
    assert "error: HANDFUL_MAX_IMAGE_PIXELS: " in ended.stderr
    assert "error: HANDFUL_PORT" not in ended.stderr


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("PORT", "tcp", "HANDFUL_PORT"),
        ("CORS_ORIGINS", "https://a.example,app.example", "'app.example' is no origin"),
        ("CORS_ORIGINS", "https://a.example/path", "is no origin"),
        ("ALLOWED_HOSTS", "api.example.com:8000", "without a port"),
        ("ALLOWED_HOSTS", "*.*.example", "is no host"),
        ("TRUSTED_PROXIES", "10.0.0.0/99", "no address or network"),
        ("TRUSTED_PROXIES", "proxy", "no address or network"),
        ("ROOT_PATH", "/v1", "a path such as /handful"),
        ("ROOT_PATH", "/a b", "a path such as /handful"),
        ("KEEP_ALIVE_SECONDS", "0", "HANDFUL_KEEP_ALIVE_SECONDS"),
    ],
)
def test_a_bad_value_is_told(name: str, value: str, told: str) -> None:
    ended = CliRunner().invoke(app, ["serve"], env={f"HANDFUL_{name}": value})
    assert ended.exit_code == 2
    assert f"error: HANDFUL_{name}: " in ended.output
    assert told in ended.output


def test_lists_are_separated_by_commas(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HANDFUL_CORS_ORIGINS", "https://App.example:443/, http://localhost:3000")
    environment.setenv("HANDFUL_ALLOWED_HOSTS", "API.example.com,*.internal,[::1]")
    environment.setenv("HANDFUL_TRUSTED_PROXIES", "10.0.0.7, 192.168.0.0/16,")
    environment.setenv("HANDFUL_ROOT_PATH", "handful/")
    settings = Settings()
    assert settings.cors_origins == ["https://app.example", "http://localhost:3000"]
    assert settings.allowed_hosts == ["api.example.com", "*.internal", "::1"]
    assert settings.trusted_proxies == ["10.0.0.7", "192.168.0.0/16"]
    assert settings.root_path == "/handful"


SERVICES = st.from_regex(r"HANDFUL(_[A-Z0-9]{1,8}){0,3}", fullmatch=True)


@given(
    SERVICES,
    st.integers(1, 65535),
    st.sampled_from(["TCP", "UDP", "SCTP"]),
    st.sampled_from(["", "_HTTP", "_GRPC_WEB"]),
)
def test_all_that_kubernetes_makes_of_a_service_is_recognised(
    service: str, port: int, protocol: str, name: str
) -> None:
    address = f"{protocol.lower()}://10.0.0.1:{port}"
    made = {
        f"{service}_SERVICE_HOST": "10.0.0.1",
        f"{service}_SERVICE_PORT": str(port),
        f"{service}_SERVICE_PORT{name}": str(port),
        f"{service}_PORT": address,
        f"{service}_PORT_{port}_{protocol}": address,
        f"{service}_PORT_{port}_{protocol}_PROTO": protocol.lower(),
        f"{service}_PORT_{port}_{protocol}_PORT": str(port),
        f"{service}_PORT_{port}_{protocol}_ADDR": "10.0.0.1",
    }
    assert all(is_service_link(variable, value) for variable, value in made.items())


@given(st.sampled_from(sorted(Settings.model_fields)), st.text(max_size=20))
def test_a_setting_is_no_service_link(name: str, value: str) -> None:
    assert not is_service_link(f"HANDFUL_{name.upper()}", value) or "://" in value


def test_a_setting_may_be_in_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    url = "postgresql+psycopg://handful:p%40ss@postgres/handful"
    (tmp_path / "url").write_text(f"{url}\n")
    environment.setenv("HANDFUL_DATABASE_URL_FILE", str(tmp_path / "url"))
    assert Settings().database_url == url
    assert Settings(database_url="sqlite://").database_url == "sqlite://"
    assert remarks(Settings) == []


@pytest.mark.parametrize(
    ("content", "beside", "said"),
    [
        (None, {}, "No such file"),
        (b"\xff\xfe", {}, "no UTF-8"),
        (b"sqlite://", {"HANDFUL_DATABASE_URL": "sqlite://"}, "both set"),
    ],
)
def test_a_file_of_a_setting_that_cannot_be_used_ends_the_command(
    environment: pytest.MonkeyPatch,
    tmp_path: Path,
    content: bytes | None,
    beside: dict[str, str],
    said: str,
) -> None:
    if content is not None:
        (tmp_path / "url").write_bytes(content)
    for name, value in {"HANDFUL_DATABASE_URL_FILE": str(tmp_path / "url"), **beside}.items():
        environment.setenv(name, value)
    done = CliRunner().invoke(app, ["serve"])
    assert done.exit_code == 2
    assert said in done.output
    assert "HANDFUL_DATABASE_URL_FILE" in done.output


def test_a_file_of_no_setting_is_warned_of(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HANDFUL_DATABASE_FILE", "/run/secrets/url")
    [remark] = remarks(Settings)
    assert "HANDFUL_DATABASE_FILE is no setting" in remark


def test_the_page_of_settings_names_every_setting() -> None:
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text("utf-8")
    named = re.findall(r"`HANDFUL_(\w+)`", page)
    assert set(named) == {name.upper() for name in Settings.model_fields}
