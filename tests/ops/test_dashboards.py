"""The dashboards, the rules and the code name the same things."""

import re
from itertools import combinations

import promql_parser
import pytest
import yaml
from prometheus_client import CollectorRegistry

from ops.dashboards.__main__ import wanted
from ops.dashboards.looks import FAILURES
from service import metrics
from service.model.words import LANES, Channel, Outcome
from tests.grafana import DASHBOARDS, ROOT, panel, panels, promql, queries

PROMETHEUS_OWN = {"up", "ALERTS"}
STANDARD = {"process_start_time_seconds", "process_cpu_seconds_total",
            "process_resident_memory_bytes"}  # fmt: skip
ADDED_BY_PROMETHEUS = {"job", "instance", "role"}
NOT_SHOWN: dict[str, str] = {
    "spans_pushed": "only with the extra otel, and whoever has that looks at traces elsewhere",
    "spans_dropped": "the same: a gap in the traces is seen there, and nothing else depends on it",
}
"""A metric of ours that nobody looks at, and why."""

EVERY_PANEL = [
    pytest.param(name, one, id=f"{name}: {one['title']}")
    for name in DASHBOARDS
    for one in panels(name)
]


def test_the_json_is_what_the_python_writes():
    for path, text in wanted().items():
        assert path.read_text(encoding="utf-8") == text, "run python -m ops.dashboards"
    assert {path.name for path in wanted()} == set(DASHBOARDS)


def test_addresses_of_dashboards_and_panels_are_their_own():
    uids = [board["uid"] for board in DASHBOARDS.values()]
    assert len(set(uids)) == len(uids)
    for name, board in DASHBOARDS.items():
        ids = [one["id"] for one in board["panels"]]
        assert len(set(ids)) == len(ids), name
        titles = [one["title"] for one in panels(name)]
        assert len(set(titles)) == len(titles), name


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_lie_within_the_grid_and_beside_each_other(name):
    places = [one["gridPos"] for one in DASHBOARDS[name]["panels"]]
    for a in places:
        assert a["x"] >= 0 and a["x"] + a["w"] <= 24, a
    for a, b in combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        below = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or below, (a, b)


@pytest.mark.parametrize(("name", "one"), EVERY_PANEL)
def test_every_panel_says_what_it_shows_in_which_unit_and_what_when_it_is_empty(name, one):
    defaults = one["fieldConfig"]["defaults"]
    assert len(one["description"]) > 20
    assert defaults["unit"]
    assert defaults["noValue"]
    assert defaults["thresholds"]["steps"][0]["value"] is None
    steps = [step["value"] for step in defaults["thresholds"]["steps"][1:]]
    assert steps == sorted(steps)
    if "red" in str(defaults["thresholds"]) and one["type"] == "stat":
        assert re.search(r"RUNBOOK|Red:|Below 0|Anything but", one["description"])


@pytest.mark.parametrize(("name", "one"), EVERY_PANEL)
def test_every_query_has_a_name_and_a_data_source_that_is_provisioned(name, one):
    path = ROOT / "ops/grafana/provisioning/datasources/notify.yml"
    sources = {s["uid"]: s["type"] for s in yaml.safe_load(path.read_text())["datasources"]}
    names = [target["refId"] for target in one["targets"]]
    assert names == sorted(set(names))
    for target in one["targets"]:
        assert sources[target["datasource"]["uid"]] == target["datasource"]["type"]


def test_variables_that_a_query_names_are_on_its_dashboard():
    for name, board in DASHBOARDS.items():
        known = {variable["name"] for variable in board["templating"]["list"]}
        asked = str([p["targets"] for p in panels(name)])
        used = set(re.findall(r"\$\{?([a-z]\w*)", asked))
        assert used == known - {"id"} if name == "one-notification.json" else used <= known, name


def test_variables_offer_what_the_model_knows():
    variables = {v["name"]: v for v in DASHBOARDS["overview.json"]["templating"]["list"]}
    for name, values in (("channel", Channel), ("priority", LANES)):
        options = [option["value"] for option in variables[name]["options"]]
        assert options == ["$__all", *map(str, values)]


def test_every_outcome_that_is_a_failure_has_its_colour():
    assert set(FAILURES) == set(Outcome) - {Outcome.SENT}


def test_paragraphs_of_the_runbook_that_panels_name_are_there():
    path = ROOT / "ops/RUNBOOK.md"
    there = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = set(re.findall(r"RUNBOOK\.md#([\w-]+)", str(DASHBOARDS)))
    assert named <= there, named - there


def test_every_expression_parses():
    assert len(expressions()) > 100
    for text in expressions():
        promql_parser.parse(text)  # raises


def test_every_metric_that_is_asked_for_is_made_by_the_code():
    made = {sample for family in families() for sample in samples_of(family)}
    unknown = asked_for() - made - PROMETHEUS_OWN - STANDARD - recorded()
    assert unknown == set()


def test_every_metric_of_the_code_is_looked_at_or_has_its_reason():
    looked_at = asked_for()
    unseen = {family.name for family in families() if not samples_of(family) & looked_at}
    assert unseen == set(NOT_SHOWN)


def test_no_query_asks_for_a_label_that_its_metric_has_not():
    """A misspelt label matches nothing, for ever."""
    labels = {sample.name: set(sample.labels) for family in families() for sample in family.samples}

    def check(node):
        if isinstance(node, promql_parser.VectorSelector) and node.name in labels:
            asked = {matcher.name for matcher in node.matchers.matchers}
            assert asked <= labels[node.name] | ADDED_BY_PROMETHEUS, node.name

    for text in expressions():
        promql_parser.walk(promql_parser.parse(text), check)


def test_the_story_of_one_notification_never_matches_every_line():
    (target,) = panel("one-notification.json", "Its log lines")["targets"]
    assert "|= `$notification`" in target["expr"]
    variables = {v["name"]: v for v in DASHBOARDS["one-notification.json"]["templating"]["list"]}
    assert "'(none)'" in variables["notification"]["query"]


def expressions():
    """Give every expression that Prometheus is asked, by dashboards and by rules."""
    return [promql(query.text) for query in queries("prometheus")] + [
        rule["expr"] for rule in rules()
    ]


def rules():
    """Give all rules as their files have them."""
    return [
        rule
        for path in sorted((ROOT / "ops/prometheus/rules").glob("*.yml"))
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    ]


def recorded():
    return {rule["record"] for rule in rules() if "record" in rule}


def asked_for():
    """Give the names in every expression."""
    found = set()

    def visit(node):
        if isinstance(node, promql_parser.VectorSelector):
            assert node.name, "a selector without a name"
            found.add(node.name)

    for text in expressions():
        promql_parser.walk(promql_parser.parse(text), visit)
    return found


def families():
    """Give the metrics of every role, from a registry of their own."""
    roles = [
        role
        for name, role in vars(metrics).items()
        if isinstance(role, type) and name.endswith("Metrics")
    ]
    for role in roles:
        registry = CollectorRegistry()
        role(registry)
        yield from registry.collect()


def samples_of(family):
    """Name the samples of a metric; those of a labelled one that nobody touched yet too."""
    ends = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
    return {family.name + end for end in ends.get(family.type, [""])}
