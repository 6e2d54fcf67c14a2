"""ops/kubernetes: what must hold of the manifests, read from the files."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.api.serve import DRAIN_S
from service.cli.parser import parser
from service.config.settings import NAMES, Settings, read_settings

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "ops" / "kubernetes"
KUSTOMIZATION = yaml.safe_load((HERE / "kustomization.yaml").read_text())
FILES = sorted({*HERE.glob("*.yaml")} - {HERE / "kustomization.yaml"})
OBJECTS: list[dict[str, Any]] = [
    document for file in FILES for document in yaml.safe_load_all(file.read_text())
]


def by_name(objects: Iterable[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Name each object as kubectl does, by its kind and its name."""
    return {(thing["kind"], thing["metadata"]["name"]): thing for thing in objects}


BY_NAME = by_name(OBJECTS)
ROLES = {
    name.removeprefix("notify-"): thing["spec"]["template"]["spec"]
    for (kind, name), thing in BY_NAME.items()
    if kind in ("Deployment", "Job")
}
STAYING = ("api", "dispatcher", "worker")
SETTINGS = BY_NAME["ConfigMap", "notify"]["data"]
SECRETS = BY_NAME["Secret", "notify"]["stringData"]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
OLDEST, NEWEST = "1.25", "1.37"  # the oldest minor version whose schemas we know, and the newest


def container(role: str) -> dict[str, Any]:
    """Give the one container of a role."""
    [only] = ROLES[role]["containers"]
    return only


def test_every_role_is_there_and_every_file_but_the_secret_is_applied():
    assert set(ROLES) == {*STAYING, "migrate"}
    assert {*KUSTOMIZATION["resources"], "secret.example.yaml"} == {file.name for file in FILES}
    assert not any("namespace" in thing["metadata"] for thing in OBJECTS)


def test_each_name_in_the_environment_is_a_setting_and_its_value_is_taken():
    assert SETTINGS.keys() | SECRETS.keys() <= NAMES
    assert SETTINGS.keys().isdisjoint(SECRETS)
    settings = read_settings(SETTINGS | SECRETS, Path("/nonexistent"))
    assert settings.database_url
    assert settings.redis_url
    assert (settings.host, settings.port, settings.metrics_port) == ("0.0.0.0", 3000, 9100)


def test_the_environment_is_declared_and_the_api_is_not_open():
    assert SETTINGS["ENVIRONMENT"]
    assert "API_OPEN" not in (SETTINGS | SECRETS)


def test_a_secret_of_ones_own_is_not_for_git():
    assert "/ops/kubernetes/secret.yaml" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("role", ROLES)
def test_each_role_runs_its_command_on_the_image_of_compose(role):
    assert container(role)["image"] == COMPOSE[role]["image"]
    assert container(role)["args"] == COMPOSE[role]["command"] == [role]
    assert parser().parse_args(container(role)["args"])


def test_one_place_says_where_the_image_is():
    [image] = KUSTOMIZATION["images"]
    assert f"{image['name']}:{image['newTag']}" == COMPOSE["api"]["image"]


@pytest.mark.parametrize("role", ROLES)
def test_each_role_gets_the_settings_and_the_secrets_and_nothing_of_other_services(role):
    assert container(role)["envFrom"] == [
        {"configMapRef": {"name": "notify"}},
        {"secretRef": {"name": "notify"}},
    ]
    assert "env" not in container(role)
    assert ROLES[role]["enableServiceLinks"] is False


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_as_little_as_under_compose(role):
    assert re.search(r"^USER [1-9]\d*:", (ROOT / "ops" / "Dockerfile").read_text(), re.MULTILINE)
    assert ROLES[role]["automountServiceAccountToken"] is False
    assert ROLES[role]["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container(role)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": COMPOSE[role]["read_only"],
        "capabilities": {"drop": COMPOSE[role]["cap_drop"]},
    }
    [mount] = container(role)["volumeMounts"]
    assert [mount["mountPath"]] == COMPOSE[role]["tmpfs"]
    [volume] = ROLES[role]["volumes"]
    assert volume["name"] == mount["name"]
    assert volume["emptyDir"]["sizeLimit"]


@pytest.mark.parametrize("role", ROLES)
def test_each_role_has_the_memory_that_it_has_under_compose(role):
    limit = container(role)["resources"]["limits"]["memory"]
    assert limit == COMPOSE[role]["mem_limit"].replace("m", "Mi")
    assert container(role)["resources"]["requests"].keys() == {"cpu", "memory"}


@pytest.mark.parametrize("role", STAYING)
def test_each_port_is_the_one_that_is_listened_on_probed_and_scraped(role):
    [port] = container(role)["ports"]
    number = SETTINGS["PORT" if role == "api" else "METRICS_PORT"]
    annotations = BY_NAME["Deployment", f"notify-{role}"]["spec"]["template"]["metadata"][
        "annotations"
    ]
    assert str(port["containerPort"]) == number
    assert annotations == {
        "prometheus.io/scrape": "true",
        "prometheus.io/path": "/metrics",
        "prometheus.io/port": number,
    }
    probed = {
        probe: container(role)[probe]["httpGet"] for probe in ("livenessProbe", "readinessProbe")
    }
    assert {get["port"] for get in probed.values()} == {port["name"]}
    paths = tuple(get["path"] for get in probed.values())
    assert paths == (("/healthz", "/readyz") if role == "api" else ("/metrics", "/metrics"))


def test_a_stop_has_more_time_than_it_needs():
    """The API stops taking requests late: the Service knows it a moment after SIGTERM is due."""
    pause = container("api")["lifecycle"]["preStop"]["exec"]["command"]
    assert pause[0] == "sleep"
    assert ROLES["api"]["terminationGracePeriodSeconds"] > float(pause[1]) + DRAIN_S
    for role in ("dispatcher", "worker"):
        assert ROLES[role]["terminationGracePeriodSeconds"] > Settings().shutdown_grace_s + 10


@pytest.mark.parametrize("role", ROLES)
def test_labels_select_the_pods_of_one_role(role):
    kind = "Job" if role == "migrate" else "Deployment"
    thing = BY_NAME[kind, f"notify-{role}"]
    labels = {"app.kubernetes.io/name": "notify", "app.kubernetes.io/component": role}
    assert thing["metadata"]["labels"] == labels
    assert thing["spec"]["template"]["metadata"]["labels"] == labels
    if kind == "Deployment":
        assert thing["spec"]["selector"]["matchLabels"] == labels


def test_the_service_leads_to_the_api_which_answers_to_its_name():
    service = BY_NAME["Service", "notify-api"]
    [port] = service["spec"]["ports"]
    assert service["spec"]["selector"] == BY_NAME["Deployment", "notify-api"]["metadata"]["labels"]
    assert port["targetPort"] == container("api")["ports"][0]["name"]
    assert "type" not in service["spec"], "nobody outside of the cluster reaches it by this"
    assert "notify-api" in SETTINGS["ALLOWED_HOSTS"].split()


@pytest.mark.needs("kubernetes_validate")
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", BY_NAME, ids="/".join)
def test_kubernetes_own_schemas_take_each_object(name, version):
    from kubernetes_validate import validate

    assert validate(BY_NAME[name], version, strict=True) == version


@pytest.mark.needs("kubectl")
def test_kubectl_builds_what_the_files_say_with_the_image_of_the_kustomization():
    kubectl = shutil.which("kubectl")
    built = subprocess.run(
        [kubectl, "kustomize", HERE], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    [image] = KUSTOMIZATION["images"]
    applied = [thing for thing in OBJECTS if thing["kind"] != "Secret"]
    renamed = json.dumps(applied).replace(f'"{image["name"]}:', f'"{image["newName"]}:')
    assert by_name(yaml.safe_load_all(built)) == by_name(json.loads(renamed))
