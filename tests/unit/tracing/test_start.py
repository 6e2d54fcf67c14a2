"""When spans are made, by the standard variables; without the extra they never are."""

import os

import pytest
from loguru import logger

from service.tracing import start
from service.tracing.start import adopt, is_wanted, tracing, why_not

URL = "http://127.0.0.1:4318"
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": URL}


@pytest.fixture
def hints():
    """Collect what is logged, with its fields."""
    lines = []
    sink = logger.add(lambda line: lines.append(str(line)), format="{level} {message} {extra}")
    yield lines
    logger.remove(sink)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    """Begin without a variable and without a .env."""
    monkeypatch.chdir(tmp_path)
    for name in (*start.ENDPOINTS, *start.PROTOCOLS, "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    "environ",
    [
        ENDPOINT,
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": URL},
        ENDPOINT | {"OTEL_SDK_DISABLED": "false"},
        ENDPOINT | {"OTEL_SDK_DISABLED": "yes"},  # the standard knows no word but true
        ENDPOINT | {"OTEL_TRACES_EXPORTER": "otlp"},
    ],
)
def test_they_are_made_when_a_collector_is_named(environ):
    assert is_wanted(environ)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
        {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": URL},
        {"OTEL_SERVICE_NAME": "shop"},
        ENDPOINT | {"OTEL_SDK_DISABLED": "true"},
        ENDPOINT | {"OTEL_SDK_DISABLED": " TRUE "},
        ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"},
        ENDPOINT | {"OTEL_TRACES_EXPORTER": "console"},
    ],
)
def test_they_are_not_made_when_nobody_asks_for_them(environ):
    assert not is_wanted(environ)


def test_nobody_who_asks_for_none_hears_of_them(hints):
    with tracing() as tracer:
        assert tracer is None
    assert hints == []


@pytest.mark.parametrize("exporter", ["service.nothing", "service.nothing.below", "nothing.at.all"])
def test_without_the_extra_a_collector_that_is_named_is_one_warning(monkeypatch, hints, exporter):
    monkeypatch.setattr(start, "EXPORTER", exporter)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", URL)
    with tracing() as tracer:
        assert tracer is None
    [line] = hints
    assert "WARNING" in line and start.INSTALL in line


def test_another_protocol_is_one_warning(monkeypatch):
    monkeypatch.setattr(start, "EXPORTER", "service.tracing.start")
    assert why_not({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}) is None
    assert "http/protobuf" in why_not({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    per_signal = {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"}
    assert "http/protobuf" in why_not(ENDPOINT | per_signal)


@pytest.mark.parametrize(
    ("environ", "hint"),
    [
        ({"OTEL_BSP_SCHEDULE_DELAY": "0"}, "OTEL_BSP_SCHEDULE_DELAY must be more than 0"),
        ({"OTEL_BSP_SCHEDULE_DELAY": "-5"}, "OTEL_BSP_SCHEDULE_DELAY must be more than 0"),
        (
            {"OTEL_BSP_MAX_QUEUE_SIZE": "100"},
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE (512) must be at most OTEL_BSP_MAX_QUEUE_SIZE (100)",
        ),
        (
            {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "0"},
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE must be more than 0",
        ),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "0"}, None),  # ours is the default then
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "many", "OTEL_BSP_SCHEDULE_DELAY": " 20 "}, None),
    ],
)
def test_a_number_that_the_sdk_does_not_take_is_named(monkeypatch, environ, hint):
    monkeypatch.setattr(start, "EXPORTER", "service.tracing.start")
    assert why_not(ENDPOINT | environ) == hint


@pytest.mark.needs("otel")
def test_whatever_else_keeps_it_from_starting_is_among_those_that_are_named(monkeypatch, hints):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", URL)
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "hunter2")
    with tracing() as tracer:
        assert tracer is None
    [line] = hints
    assert "ValueError; one of OTEL_" in line
    assert "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT" in line
    assert "hunter2" not in line


def test_a_line_of_the_env_file_is_as_good_as_a_variable(monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    names = {"OTEL_EXPORTER_OTLP_ENDPOINT": URL, "OTEL_TRACES_EXPORTER": "otlp", "PATH": "gone"}
    path = os.environ["PATH"]
    adopt(names | {"OTEL_SDK_DISABLED": ""}, os.environ)
    assert os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] == URL
    assert os.environ["OTEL_TRACES_EXPORTER"] == "none"  # the variable counts before the file
    assert os.environ["PATH"] == path
    assert "OTEL_SDK_DISABLED" not in os.environ


@pytest.mark.needs("otel")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "-1"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "99999"),  # more than the queue holds
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-5"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_SAMPLER_ARG", "half"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=b\r\nc"),
        ("OTEL_RESOURCE_ATTRIBUTES", "=,=,"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "no url at all"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "few"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere"),
    ],
)
def test_a_variable_that_is_wrong_stops_nobody(monkeypatch, registry, name, value):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    monkeypatch.setenv(name, value)
    with tracing() as tracer:
        if tracer is not None:
            begun = tracer.enqueue("log", None)
            begun.end({})


@pytest.fixture
def registry(monkeypatch):
    """Count spans for this test alone."""
    from functools import partial

    from prometheus_client import CollectorRegistry

    from service.metrics import SpanMetrics
    from service.tracing import tracer

    monkeypatch.setattr(tracer, "SpanMetrics", partial(SpanMetrics, CollectorRegistry()))
