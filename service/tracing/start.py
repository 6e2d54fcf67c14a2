"""Whether spans are made: the extra `otel`, and the standard OTEL_* variables, decide it once."""

import os
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from service.config.env_file import read_env_file

if TYPE_CHECKING:
    from service.tracing.tracer import Tracer

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
OURS = "http/protobuf"
EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
QUEUE, BATCH = "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
DELAY = "OTEL_BSP_SCHEDULE_DELAY"
DEFAULTS = {QUEUE: 2048, BATCH: 512, DELAY: 5000}  # the standard's
INSTALL = "pip install 'postgres-notification-service[otel]'"


@contextmanager
def tracing(*, is_child: bool = False) -> Iterator["Tracer | None"]:
    """Make spans until the context ends; None: they are off. It starts a thread: fork before it.

    Nothing here stops the service: whatever is wrong with the variables is one warning.
    `is_child`: the process that started this one has handed down what .env says.
    """
    if not is_child:
        adopt(read_env_file(Path(".env"), os.environ, frozenset()), os.environ)
    tracer = made() if is_wanted(os.environ) else None
    try:
        yield tracer
    finally:
        if tracer is not None:
            tracer.stop()


def adopt(env_file: Mapping[str, str], environ: MutableMapping[str, str]) -> None:
    """Let the SDK, which reads the environment alone, see what .env says of it."""
    for name, value in env_file.items():
        if name.startswith("OTEL_") and value.strip():
            environ.setdefault(name, value)


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Return whether somebody named a collector and did not say no."""
    is_disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    is_elsewhere = environ.get("OTEL_TRACES_EXPORTER", "otlp").strip() not in ("", "otlp")
    return not (is_disabled or is_elsewhere) and first(environ, ENDPOINTS) is not None


def made() -> "Tracer | None":
    """Make the tracer, or warn why not."""
    reason = why_not(os.environ)
    if reason is None:
        try:
            from service.tracing.tracer import started  # noqa: PLC0415  # needs the extra

            return started()
        except Exception as error:  # an OTEL_* variable that the SDK cannot read
            named = ", ".join(sorted(name for name in os.environ if name.startswith("OTEL_")))
            reason = f"OpenTelemetry does not start: {type(error).__name__}; one of {named}"
    logger.warning("tracing_off", hint=reason)
    return None


def why_not(environ: Mapping[str, str]) -> str | None:
    """Say what is missing for spans; None: nothing."""
    if not has_extra():
        return f"the collector in OTEL_* needs the extra otel: {INSTALL}"
    if first(environ, PROTOCOLS) not in (None, OURS):
        return f"spans are sent by {OURS} only, and OTEL_* asks for another protocol"
    return odd_number(environ)


def odd_number(environ: Mapping[str, str]) -> str | None:
    """Say which number the SDK would not start with; None: it takes all. No number: the default."""
    queue, batch, delay = (whole(environ.get(name, ""), DEFAULTS[name]) for name in DEFAULTS)
    if batch <= 0 or delay <= 0:
        return f"{BATCH if batch <= 0 else DELAY} must be more than 0"
    if batch > queue > 0:  # queue_max() has the default for 0 and less
        return f"{BATCH} ({batch}) must be at most {QUEUE} ({queue})"
    return None


def whole(text: str, default: int) -> int:
    """Read a whole number as the SDK does."""
    try:
        return int(text)
    except ValueError:
        return default


def has_extra() -> bool:
    """Return whether the extra is installed: other libraries bring OpenTelemetry's API alone."""
    try:
        return find_spec(EXPORTER) is not None
    except ModuleNotFoundError:
        return False


def first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """Return the first of these variables that says something."""
    return next((value for name in names if (value := environ.get(name, "").strip())), None)
