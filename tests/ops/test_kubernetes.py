"""ops/kubernetes: what must hold of the manifests, read from the files."""

import re
from ipaddress import ip_network
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import promql_parser
import pytest
import yaml
from prometheus_client import CollectorRegistry

from service.api.app import READS_AT_ONCE
from service.api.serve import DRAIN_S
from service.cli.parser import parser
from service.config.settings import NAMES, Settings, read_settings
from service.ledger.schema import functions
from service.metrics import DispatcherMetrics
from service.names.reach import TABLE, Kind
from tests.ops.manifests import CUSTOM, HERE, NEWEST, OLDEST, ROOT, STAYING, pods, read, selects

BASE = yaml.safe_load((HERE / "base" / "kustomization.yaml").read_text())
FILES = sorted({*HERE.glob("base/*.yaml")} - {HERE / "base" / "kustomization.yaml"})
COMPONENTS = [HERE / "components" / name for name in ("keda", "hpa", "pod-monitor")]
EXAMPLES = [HERE / "secret.example.yaml", HERE / "components" / "keda" / "secret.example.yaml"]
BY_NAME = read(*FILES, *EXAMPLES)
BESIDE = read(
    *HERE.glob("components/*/scaling.yaml"),
    HERE / "components" / "pod-monitor" / "pod-monitor.yaml",
    HERE / "overlays" / "production" / "namespace.yaml",
)
ROLES = {role: spec for role, (_, spec) in pods(BY_NAME).items()}
LABELS = {role: labels for role, (labels, _) in pods(BY_NAME).items()}
SETTINGS = BY_NAME["ConfigMap", "notify"]["data"]
SECRETS = BY_NAME["Secret", "notify"]["stringData"]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
DOORS = {name: thing["spec"] for (kind, name), thing in BY_NAME.items() if kind == "NetworkPolicy"}
API_CONNECTIONS = 4 + READS_AT_ONCE + 1  # ops/ARCHITECTURE.md, "Processes, threads, connections"
CONNECTIONS_MAX = 100 - 3  # PostgreSQL's own defaults: max_connections, less those for superusers
KEDA_MAX = 5  # the role's own limit (ops/postgres/roles.sql)


def container(role: str) -> dict[str, Any]:
    """Give the one container of a role."""
    [only] = ROLES[role]["containers"]
    return only


def test_every_role_is_there_and_every_file_is_applied():
    assert set(ROLES) == {*STAYING, "migrate"}
    assert set(BASE["resources"]) == {file.name for file in FILES}
    beside = {file.name for file in HERE.glob("*.yaml")} - {"secret.yaml"}
    assert beside == {"kustomization.yaml", "secret.example.yaml"}
    assert not any("namespace" in thing["metadata"] for thing in (BY_NAME | BESIDE).values())
    assert not {kind for kind, _ in BY_NAME} & CUSTOM, "the base needs no custom resource"


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


def test_a_pod_has_one_process_as_kubernetes_counts_pods():
    assert SETTINGS["WORKER_PROCESSES"] == "1"


def test_a_secret_of_ones_own_is_not_for_git():
    assert "/ops/kubernetes/**/secret.yaml" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("role", ROLES)
def test_each_role_runs_its_command_on_the_image_of_compose(role):
    assert container(role)["image"] == COMPOSE[role]["image"]
    assert container(role)["args"] == COMPOSE[role]["command"] == [role]
    assert parser().parse_args(container(role)["args"])


@pytest.mark.parametrize("directory", [".", "overlays/production"])
def test_one_place_says_where_the_image_is(directory):
    [image] = yaml.safe_load((HERE / directory / "kustomization.yaml").read_text())["images"]
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
    probed = [container(role)[probe]["httpGet"] for probe in PROBES]
    assert {get["port"] for get in probed} == {port["name"]}
    lives, is_ready = ("/healthz", "/readyz") if role == "api" else ("/metrics", "/metrics")
    assert [get["path"] for get in probed] == [lives, lives, is_ready]


@pytest.mark.parametrize("role", STAYING)
def test_a_start_may_take_a_minute(role):
    start = container(role)["startupProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] >= 60


def test_a_stop_has_more_time_than_it_needs():
    """The API stops taking requests late: the Service knows it a moment after SIGTERM is due."""
    pause = container("api")["lifecycle"]["preStop"]["exec"]["command"]
    assert pause[0] == "sleep"
    assert ROLES["api"]["terminationGracePeriodSeconds"] > float(pause[1]) + DRAIN_S
    for role in ("dispatcher", "worker"):
        assert ROLES[role]["terminationGracePeriodSeconds"] > Settings().shutdown_grace_s + 10


@pytest.mark.parametrize("role", STAYING)
def test_no_pod_is_replaced_before_the_job_has_migrated(role):
    [waits] = ROLES[role]["initContainers"]
    assert parser().parse_args(waits["args"]).wait
    for what in ("image", "envFrom", "securityContext", "volumeMounts"):
        assert waits[what] == container(role)[what]
    assert "initContainers" not in ROLES["migrate"]
    rollout = BY_NAME["Deployment", f"notify-{role}"]["spec"]["strategy"]["rollingUpdate"]
    assert rollout["maxUnavailable"] == 0


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
    names = [
        "notify-api",
        *(f"notify-api.notify{rest}" for rest in ("", ".svc", ".svc.cluster.local")),
    ]
    assert SETTINGS["ALLOWED_HOSTS"].split() == names, "in the namespace of the README's commands"


@pytest.mark.parametrize("role", STAYING)
def test_a_drained_node_takes_one_pod_of_a_role_and_leaves_another(role):
    deployment = BY_NAME["Deployment", f"notify-{role}"]["spec"]
    budget = BY_NAME["PodDisruptionBudget", f"notify-{role}"]["spec"]
    assert budget == {"maxUnavailable": 1, "selector": deployment["selector"]}
    assert deployment["replicas"] > 1


@pytest.mark.parametrize("role", STAYING)
def test_the_pods_of_a_role_are_spread_over_zones_and_nodes(role):
    constraints = ROLES[role]["topologySpreadConstraints"]
    assert [constraint["topologyKey"] for constraint in constraints] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]
    for constraint in constraints:
        assert constraint["labelSelector"] == {"matchLabels": LABELS[role]}
        assert constraint["whenUnsatisfiable"] == "ScheduleAnyway", "one node is a cluster, too"


def ports(rule: dict[str, Any]) -> set[int]:
    """Give the numbers of a rule's ports."""
    return {port["port"] for port in rule["ports"]}


def doors_of(role: str, direction: str) -> set[str]:
    """Name the policies that let a role's pods do anything in a direction."""
    return {
        name
        for name, spec in DOORS.items()
        if direction in spec["policyTypes"]
        and spec.get(direction.lower())
        and selects(spec["podSelector"], LABELS[role])
    }


def test_every_pod_is_denied_what_no_policy_allows():
    deny = DOORS["notify-deny"]
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert not deny.keys() & {"ingress", "egress"}
    assert all(selects(deny["podSelector"], labels) for labels in LABELS.values())
    for name, spec in DOORS.items():
        assert name == "notify-deny" or len(spec["policyTypes"]) == 1


def test_each_role_gets_out_where_it_has_to_and_nowhere_else():
    assert {role: doors_of(role, "Egress") for role in ROLES} == {
        "migrate": {"notify-ledger"},
        "api": {"notify-ledger", "notify-ready-set"},
        "dispatcher": {"notify-ledger", "notify-ready-set"},
        "worker": {"notify-ledger", "notify-ready-set", "notify-webhooks", "notify-mail"},
    }


def test_labelled_clients_reach_the_api_and_prometheus_every_page_of_metrics():
    assert {role: doors_of(role, "Ingress") - {"notify-metrics"} for role in STAYING} == {
        "api": {"notify-clients"},
        "dispatcher": set(),
        "worker": set(),
    }
    [clients] = DOORS["notify-clients"]["ingress"]
    [client] = clients["from"]
    assert client["namespaceSelector"] == {}
    assert selects(client["podSelector"], {"notify-client": "true"})
    assert not selects(client["podSelector"], LABELS["worker"])
    assert ports(clients) == {int(SETTINGS["PORT"])}
    [metrics] = DOORS["notify-metrics"]["ingress"]
    [prometheus] = metrics["from"]
    assert prometheus.keys() == {"namespaceSelector"}
    assert ports(metrics) == {int(SETTINGS["PORT"]), int(SETTINGS["METRICS_PORT"])}


def test_the_ports_are_those_of_the_servers():
    dns, postgres = DOORS["notify-ledger"]["egress"]
    assert ports(dns) == {53}
    assert urlsplit(SECRETS["DATABASE_URL"]).port in ports(postgres)
    [redis] = DOORS["notify-ready-set"]["egress"]
    assert ports(redis) == {urlsplit(SECRETS["REDIS_URL"]).port}
    [mail] = DOORS["notify-mail"]["egress"]
    assert ports(mail) == {25, 465, 587}


def test_webhooks_go_to_the_ports_that_the_guard_permits_and_by_no_other_door():
    [webhooks] = DOORS["notify-webhooks"]["egress"]
    permitted = {int(port) for port in SETTINGS["WEBHOOK_PORTS"].split()}
    assert ports(webhooks) == permitted
    for name in doors_of("worker", "Egress") - {"notify-webhooks"}:
        assert not any(ports(rule) & permitted for rule in DOORS[name]["egress"])


def test_webhooks_reach_no_network_that_the_guard_refuses():
    [webhooks] = DOORS["notify-webhooks"]["egress"]
    blocks = [block["ipBlock"] for block in webhooks["to"]]
    assert [block["cidr"] for block in blocks] == ["0.0.0.0/0", "2000::/3"]
    outside = {ip_network(cidr) for block in blocks for cidr in block["except"]}
    for block in blocks:  # else the API server refuses it
        whole: Any = ip_network(block["cidr"])
        assert all(ip_network(cidr).subnet_of(whole) for cidr in block["except"])

    def is_outside(network):
        same = {cidr for cidr in outside if cidr.version == network.version}
        beyond = network.version == 6 and not network.subnet_of(ip_network("2000::/3"))
        return beyond or any(network.subnet_of(cidr) for cidr in same)

    refused = [network for network, kind in TABLE if kind != Kind.PUBLIC]
    assert [network for network in refused if not is_outside(network)] == []
    tunnels = {ip_network("2002::/16")}  # 6to4: what it reaches is hidden within the address
    assert outside - tunnels <= set(refused), "what the guard lets through, the network does"


SCALED = BESIDE["ScaledObject", "notify-worker"]["spec"]
SCALER = BESIDE["HorizontalPodAutoscaler", "notify-worker"]["spec"]


def test_both_ways_to_scale_start_as_many_workers_at_the_same_age():
    [trigger], [metric] = SCALED["triggers"], SCALER["metrics"]
    assert ("Deployment", SCALED["scaleTargetRef"]["name"]) in BY_NAME
    assert SCALED["scaleTargetRef"]["name"] == SCALER["scaleTargetRef"]["name"]
    assert SCALED["minReplicaCount"] == SCALER["minReplicas"] > 1
    assert SCALED["maxReplicaCount"] == SCALER["maxReplicas"]
    target = metric["external"]["target"]
    assert trigger["metricType"] == target["type"] == "AverageValue"
    assert trigger["metadata"]["targetQueryValue"] == target["averageValue"]
    behavior = SCALED["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior == SCALER["behavior"]


def test_keda_logs_in_by_its_secret_and_asks_a_function_of_ours():
    """What the query gives, and to which role: tests/ops/test_roles.py."""
    [trigger] = SCALED["triggers"]
    assert trigger["type"] == "postgresql"
    login = BESIDE["TriggerAuthentication", trigger["authenticationRef"]["name"]]["spec"]
    [reference] = login["secretTargetRef"]
    assert reference["parameter"] == "connection"
    secret = BY_NAME["Secret", reference["name"]]["stringData"][reference["key"]]
    assert urlsplit(secret).username == "notify_scaler"
    [called] = re.findall(r"notify\.(\w+)\(", trigger["metadata"]["query"])
    assert called in {name.partition("(")[0] for name in functions()}


def test_the_autoscalers_metric_is_one_that_the_dispatcher_shows():
    registry = CollectorRegistry()
    DispatcherMetrics(registry)
    [metric] = SCALER["metrics"]
    name = metric["external"]["metric"]["name"]
    assert name in {shown.name for shown in registry.collect()}
    comment = re.findall("^#(   .*)", (HERE / "components/hpa/scaling.yaml").read_text(), re.M)
    [rule] = yaml.safe_load("\n".join(comment))["externalRules"]
    selector = f'{{__name__="{name}",namespace!=""}}'
    assert rule["seriesQuery"] == selector
    query = rule["metricsQuery"].replace("<<.Series>>{<<.LabelMatchers>>}", selector)
    promql_parser.parse(query)  # raises


def test_as_many_pods_as_there_may_be_fit_into_the_connections_of_postgresql():
    production = yaml.safe_load((HERE / "overlays/production/kustomization.yaml").read_text())
    [api] = [replica["count"] for replica in production["replicas"]]
    dispatchers = BY_NAME["Deployment", "notify-dispatcher"]["spec"]["replicas"]
    workers = SCALED["maxReplicaCount"]
    steady = API_CONNECTIONS * api + 5 * dispatchers + 1 + 3 * workers
    surge = API_CONNECTIONS + 5 * ceil(dispatchers / 4) + 3 * ceil(workers / 4)  # 1, and 25 %
    page = " ".join((HERE / "README.md").read_text().split())
    assert f"takes {steady}, and {steady + surge + 1} while a deploy" in page  # the migration's one
    assert steady + surge + 1 + KEDA_MAX <= CONNECTIONS_MAX


def test_prometheus_operator_scrapes_each_page_with_the_labels_of_the_rules():
    monitor = BESIDE["PodMonitor", "notify"]["spec"]
    assert LABELS["api"][monitor["jobLabel"]] == "notify"
    assert all(selects(monitor["selector"], LABELS[role]) for role in STAYING)
    names = {port["name"] for role in STAYING for port in container(role)["ports"]}
    assert {endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]} == names
    for endpoint in monitor["podMetricsEndpoints"]:
        [relabeling] = endpoint["relabelings"]
        assert relabeling["targetLabel"] == "role"


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda path: path.name)
def test_a_component_names_all_of_its_files_and_only_these(component):
    kustomization = yaml.safe_load((component / "kustomization.yaml").read_text())
    assert kustomization["kind"] == "Component"
    named = {*kustomization["resources"], *kustomization.get("configurations", ())}
    left = {"kustomization.yaml", "secret.example.yaml"}
    assert named == {file.name for file in component.glob("*.yaml")} - left


@pytest.mark.needs("kubernetes_validate")
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", BY_NAME | BESIDE, ids="/".join)
def test_kubernetes_own_schemas_take_each_object(name, version):
    from kubernetes_validate import SchemaNotFoundError, validate

    thing = (BY_NAME | BESIDE)[name]
    if name[0] in CUSTOM:
        with pytest.raises(SchemaNotFoundError):
            validate(thing, version, strict=True)
    else:
        assert validate(thing, version, strict=True) == version
