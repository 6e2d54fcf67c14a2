"""docker-compose.yml and the image: what must hold of them, read from the files."""

import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.config.parsers import host_names
from service.config.settings import Settings
from service.http.callers import Callers

ROOT = Path(__file__).resolve().parents[2]
STACK = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
ROLES = ("migrate", "api", "dispatcher", "worker")
# Without a pooler; without embedded servers; of who calls, not of a role.
OF_OTHERS = {"DATABASE_DIRECT_URL", "NOTIFY_STATE", "NOTIFY_KEY"}
PORTS = {
    "postgres": "5432:5432",
    "redis": "6379:6379",
    "prometheus": "9090:9090",
    "grafana": "3001:3000",
    "loki": "3100:3100",
    "api": "3000:3000",
}


def test_the_stack_is_what_was_asked_for():
    assert set(SERVICES) == {*ROLES, *PORTS}


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_names_its_exact_version(name):
    image = SERVICES[name]["image"]
    assert re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)?$", image), image
    assert ("build" in SERVICES[name]) == (name in ROLES)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_limits_and_small_logs(name):
    service = SERVICES[name]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["cpus"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


def test_ports_are_the_usual_ones_and_open_to_this_machine_only():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {name: [f"127.0.0.1:{port}"] for name, port in PORTS.items()}


@pytest.mark.parametrize("name", SERVICES)
def test_everything_that_stays_has_a_health_check_and_comes_back(name):
    service = SERVICES[name]
    if name == "migrate":
        assert service["healthcheck"] == {"disable": True}
        assert service["restart"] == "no"
    else:
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
        assert service["restart"] == "unless-stopped"


def test_dependencies_wait_for_health_and_for_the_migration():
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other == "migrate" else "service_healthy"
            assert how == {"condition": wanted}, f"{name} -> {other}"
    needs = {name: set(SERVICES[name]["depends_on"]) for name in ROLES}
    assert needs == {
        "migrate": {"postgres"},
        "api": {"postgres", "migrate"},
        "dispatcher": {"postgres", "redis", "migrate"},
        "worker": {"postgres", "redis", "migrate"},
    }


def test_what_is_mounted_exists_and_data_is_in_named_volumes():
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source, target, *mode = volume.split(":")
            if source.startswith("./"):
                assert (ROOT / source).exists(), f"{name}: {source}"
                assert mode == ["ro"]
            else:
                assert source in STACK["volumes"], f"{name}: {source}"
                assert target.startswith("/")


def test_grafana_opens_a_dashboard_that_is_mounted():
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (ROOT / "ops" / "grafana" / "dashboards" / Path(home).name).exists()


def test_postgres_keeps_its_data_where_the_image_of_18_looks_for_it():
    assert "postgres:/var/lib/postgresql" in SERVICES["postgres"]["volumes"]


@pytest.mark.parametrize("name", ROLES)
def test_the_roles_are_given_every_setting_and_no_other(name):
    given = SERVICES[name]["environment"]
    assert set(given) == {spec.name.upper() for spec in fields(Settings)} - OF_OTHERS


def test_a_setting_that_is_not_in_the_env_file_is_empty_and_so_the_default():
    ours = {"DATABASE_URL", "REDIS_URL", "LOKI_URL", "HOST", "PORT", "METRICS_PORT", "LOG_STYLE"}
    for name, value in SERVICES["worker"]["environment"].items():
        assert (
            name in ours | {"ALLOWED_HOSTS", "API_OPEN", "WORKER_PROCESSES"}
            or value == f"${{{name}:-}}"
        ), name


def test_the_stack_answers_to_this_machine_and_its_own_network_and_to_no_pages_name():
    """It listens on 0.0.0.0 inside, so the API cannot see that its port is this machine's alone."""
    value = SERVICES["api"]["environment"]["ALLOWED_HOSTS"]
    names = re.fullmatch(r"\$\{ALLOWED_HOSTS:-(.+)\}", value)[1]
    callers = Callers(SERVICES["api"]["environment"]["HOST"], host_names(names))
    for host in ("localhost:3000", "127.0.0.1:3000", "api:3000", "172.18.0.7:9100"):
        assert callers.serves(host)
    assert not callers.serves("rebound.example:3000")


def test_the_api_is_open_for_the_reason_that_its_port_is_this_machines_alone():
    """It may be closed by the env file, once there is a key."""
    assert SERVICES["api"]["environment"]["API_OPEN"] == "${API_OPEN:-true}"
    assert SERVICES["api"]["ports"] == ["127.0.0.1:3000:3000"]


def test_a_stop_has_more_time_than_the_longest_default_grace():
    assert SERVICES["worker"]["stop_grace_period"] == "1m"
    assert Settings().shutdown_grace_s < 50


def test_the_credentials_are_those_of_the_seed():
    environment = SERVICES["postgres"]["environment"]
    assert environment["POSTGRES_USER"] == "notification_user"
    assert environment["POSTGRES_PASSWORD"] == "${POSTGRES_PASSWORD:-notification_password}"
    assert environment["POSTGRES_DB"] == "notification_db"
    assert SERVICES["worker"]["environment"]["DATABASE_URL"] == (
        "postgresql://notification_user:${POSTGRES_PASSWORD:-notification_password}"
        "@postgres:5432/notification_db"
    )
    assert SERVICES["grafana"]["environment"]["GF_SECURITY_ADMIN_USER"] == "admin"
    assert (
        SERVICES["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"]
        == "${GRAFANA_PASSWORD:-admin}"
    )


def test_redis_keeps_nothing_and_evicts_nothing():
    command = SERVICES["redis"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--maxmemory-policy"] == "noeviction"
    assert (options["--save"], options["--appendonly"]) == ("", "no")


def test_redis_asks_for_the_password_that_the_roles_give():
    command, password = SERVICES["redis"]["command"], "${REDIS_PASSWORD:-redis_password}"
    assert command[command.index("--requirepass") + 1] == password
    assert SERVICES["redis"]["environment"] == {"REDISCLI_AUTH": password}
    for name in ROLES:
        assert SERVICES[name]["environment"]["REDIS_URL"] == f"redis://:{password}@redis:6379/0"


def test_the_worker_can_be_scaled():
    assert not {"container_name", "ports", "hostname"} & SERVICES["worker"].keys()


def test_compose_itself_accepts_the_file(tmp_path):
    command = next(
        (command for command in (["docker", "compose"], ["docker-compose"]) if works(command)), None
    )
    if command is None:
        pytest.skip("THE COMPOSE FILE IS NOT CHECKED BY COMPOSE: no docker compose here")
    nothing = tmp_path / "env"
    nothing.touch()
    done = subprocess.run(
        [*command, "-f", ROOT / "docker-compose.yml", "--env-file", nothing, "config", "-q"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def works(command: list[str]) -> bool:
    """Whether this compose is installed."""
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0


def test_the_image_is_pinned_not_root_and_stops_by_sigterm():
    lines = (ROOT / "ops" / "Dockerfile").read_text().splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM")]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-bookworm", bases[0])
    assert "USER 10001:10001" in lines
    assert "STOPSIGNAL SIGTERM" in lines
    assert 'ENTRYPOINT ["notify"]' in lines
    assert any(line.startswith("HEALTHCHECK") for line in lines)


def test_the_image_is_built_from_what_the_wheel_needs_and_nothing_else():
    allowed = [
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    assert allowed == [
        "LICENSE", "README.md", "pyproject.toml", "migrations", "service", "sql", "workers"
    ]  # fmt: skip
    assert all((ROOT / name).exists() for name in allowed)
