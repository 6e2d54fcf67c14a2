"""The manifests of ops/kubernetes: as they are written, and as kustomize builds them."""

import subprocess
import sysconfig
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "ops" / "kubernetes"
STAYING = ("api", "dispatcher", "worker")
OLDEST, NEWEST = "1.25", "1.37"  # the oldest minor version whose schemas we know, and the newest
CUSTOM = {
    "ScaledObject",
    "TriggerAuthentication",
    "PodMonitor",
}  # which Kubernetes has no schema of

Thing = dict[str, Any]
Things = dict[tuple[str, str], Thing]


def by_name(things: Iterable[Thing]) -> Things:
    """Name each object as kubectl does, by its kind and its name."""
    return {(thing["kind"], thing["metadata"]["name"]): thing for thing in things}


def read(*files: Path) -> Things:
    """Read objects as they are written."""
    return by_name(thing for file in files for thing in yaml.safe_load_all(file.read_text()))


def kustomize(directory: Path) -> subprocess.CompletedProcess[str]:
    """Let kubectl build a directory."""
    kubectl = Path(sysconfig.get_path("scripts")) / "kubectl"
    return subprocess.run(
        [kubectl, "kustomize", directory], capture_output=True, text=True, timeout=60, check=False
    )


@lru_cache
def built(directory: Path) -> Things:
    """Give what kubectl would apply."""
    result = kustomize(directory)
    assert result.returncode == 0, result.stderr
    return by_name(yaml.safe_load_all(result.stdout))


def pods(things: Things) -> dict[str, tuple[dict[str, str], Thing]]:
    """Give the labels and the spec of each role's pods."""
    templates = {
        thing["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]: thing[
            "spec"
        ]["template"]
        for (kind, _), thing in things.items()
        if kind in ("Deployment", "Job")
    }
    return {role: (pod["metadata"]["labels"], pod["spec"]) for role, pod in templates.items()}


def selects(selector: Thing, labels: dict[str, str]) -> bool:
    """Say whether a selector takes labels, as Kubernetes does: by all that it names."""
    expressions = selector.get("matchExpressions", [])
    assert all(expression["operator"] == "In" for expression in expressions)
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(expression["key"]) in expression["values"] for expression in expressions
    )
