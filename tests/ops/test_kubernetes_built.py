"""What kubectl builds of ops/kubernetes: names and selectors follow, and mistakes show."""

import shutil
from pathlib import Path

import pytest
import yaml

from tests.ops.manifests import CUSTOM, HERE, NEWEST, OLDEST, built, kustomize, pods, read, selects

pytestmark = pytest.mark.needs("kubectl")

PRODUCTION = HERE / "overlays" / "production"
# An installation whose owner renames all, beside another one in the same namespace.
BLUE = """
namespace: shared
namePrefix: blue-
labels: [{pairs: {app.kubernetes.io/instance: blue}, includeSelectors: true}]
resources: [../../base, secret.yaml, scaler.yaml]
components: [../../components/SCALING, ../../components/pod-monitor]
"""


def tree(scratch: Path) -> Path:
    """Copy the manifests, so that a test may write beside them."""
    return shutil.copytree(HERE, scratch / "kubernetes")


def overlay(here: Path, name: str, text: str) -> Path:
    """Write an overlay, with the secrets that it names."""
    directory = here / "overlays" / name
    directory.mkdir()
    shutil.copy(here / "secret.example.yaml", directory / "secret.yaml")
    shutil.copy(here / "components/keda/secret.example.yaml", directory / "scaler.yaml")
    (directory / "kustomization.yaml").write_text(text)
    return directory


@pytest.fixture(params=["keda", "hpa"])
def blue(request, tmp_path):
    """Build the installation that is renamed."""
    return built(overlay(tree(tmp_path), "blue", BLUE.replace("SCALING", request.param)))


def test_the_whole_is_the_base_with_the_image_of_its_kustomization():
    [image] = yaml.safe_load((HERE / "kustomization.yaml").read_text())["images"]
    files = sorted({*HERE.glob("base/*.yaml")} - {HERE / "base" / "kustomization.yaml"})
    written = read(*files)
    for _, spec in pods(written).values():
        for container in (*spec["containers"], *spec.get("initContainers", ())):
            container["image"] = container["image"].replace(image["name"], image["newName"])
    assert built(HERE) == written


@pytest.mark.needs("kubernetes_validate")
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_own_schemas_take_what_is_built(blue, version):
    from kubernetes_validate import validate

    for things in (built(PRODUCTION), blue):
        for (kind, _), thing in things.items():
            assert kind in CUSTOM or validate(thing, version, strict=True)


def test_production_is_in_its_namespace_whose_names_the_api_answers_to():
    things = built(PRODUCTION)
    namespace = yaml.safe_load((PRODUCTION / "kustomization.yaml").read_text())["namespace"]
    assert things.pop(("Namespace", namespace))
    assert {thing["metadata"]["namespace"] for thing in things.values()} == {namespace}
    names = things["ConfigMap", "notify"]["data"]["ALLOWED_HOSTS"].split()
    assert {f"notify-api.{namespace}{rest}" for rest in ("", ".svc", ".svc.cluster.local")} < {
        *names
    }


def test_production_keeps_what_the_base_sets_and_leaves_the_workers_to_keda():
    things, base = built(PRODUCTION), built(HERE / "base")
    settings = things["ConfigMap", "notify"]["data"]
    assert settings.keys() == base["ConfigMap", "notify"]["data"].keys()
    assert "replicas" not in things["Deployment", "notify-worker"]["spec"]
    assert things["Deployment", "notify-api"]["spec"]["replicas"] == 3
    assert ("ScaledObject", "notify-worker") in things


def test_two_who_scale_the_same_workers_are_refused(tmp_path):
    both = "resources: [../../base]\ncomponents: [../../components/keda, ../../components/hpa]\n"
    result = kustomize(overlay(tree(tmp_path), "both", both))
    assert result.returncode != 0
    assert "/spec/replicas" in result.stderr


def test_names_follow_a_prefix(blue):
    for _, spec in pods(blue).values():
        for container in (*spec["containers"], *spec.get("initContainers", ())):
            for source in container["envFrom"]:
                [(kind, reference)] = source.items()
                wanted = {"configMapRef": "ConfigMap", "secretRef": "Secret"}[kind]
                assert (wanted, reference["name"]) in blue
    for kind, name in blue:
        assert name.startswith("blue-"), kind
    for (kind, _), thing in blue.items():
        if kind in ("ScaledObject", "HorizontalPodAutoscaler"):
            assert ("Deployment", thing["spec"]["scaleTargetRef"]["name"]) in blue
        if kind == "ScaledObject":
            [trigger] = thing["spec"]["triggers"]
            assert ("TriggerAuthentication", trigger["authenticationRef"]["name"]) in blue
        if kind == "TriggerAuthentication":
            [reference] = thing["spec"]["secretTargetRef"]
            assert ("Secret", reference["name"]) in blue


def test_selectors_follow_a_label_so_that_two_in_a_namespace_are_apart(blue):
    ours = {role: labels for role, (labels, _) in pods(blue).items()}
    others = {role: labels for role, (labels, _) in pods(built(HERE / "base")).items()}
    selectors = []
    for (kind, _), thing in blue.items():
        if kind == "Service":
            selectors.append({"matchLabels": thing["spec"]["selector"]})
        if kind in ("Deployment", "PodDisruptionBudget", "PodMonitor"):
            selectors.append(thing["spec"]["selector"])
        if kind == "NetworkPolicy":
            selectors.append(thing["spec"]["podSelector"])
    for _, spec in pods(blue).values():
        spread = spec.get("topologySpreadConstraints", [])
        selectors += [constraint["labelSelector"] for constraint in spread]
    for selector in selectors:
        assert any(selects(selector, labels) for labels in ours.values())
        assert not any(selects(selector, labels) for labels in others.values())
    [rule] = blue["NetworkPolicy", "blue-notify-clients"]["spec"]["ingress"]
    [client] = rule["from"]
    assert selects(client["podSelector"], {"notify-client": "true"}), "clients have no instance"
