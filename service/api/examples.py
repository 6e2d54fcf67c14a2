"""The examples of the documentation: bodies that this service takes when they are read."""

from datetime import UTC, datetime, timedelta
from typing import Any

from service.api.body import missing_setting
from service.channels.table import CHANNELS
from service.config.settings import Settings

LATER = timedelta(hours=1)
ID = "019a0b6e-2f31-7c11-9d5e-7a4b1c2d3e4f"
KEY_ID = "7m2p9xk4qd"

Examples = dict[str, dict[str, Any]]


def enqueueing(settings: Settings, inbox_url: str | None, now: datetime) -> Examples:
    """Return bodies of POST /notify by name; the page fills in the first."""
    bodies: dict[str, dict[str, Any]] = {
        channel: {"channel": channel, **declared.example}
        for channel, declared in CHANNELS.items()
        if not missing_setting(declared, settings)
    }
    if inbox_url:
        bodies["webhook"]["recipient"] = f"{inbox_url}/hook"
    bodies["later"] = bodies.pop("log") | {"priority": 0, "reference": "order-1234"}
    if settings.send_at_max_days > 0:
        bodies["later"]["send_at"] = rfc3339(now + LATER)
    return {name: {"value": body} for name, body in bodies.items()}


def redriving(now: datetime) -> Examples:
    """Return bodies of POST /redrive by name."""
    yesterday = rfc3339(now - timedelta(days=1))
    bodies: dict[str, dict[str, Any]] = {
        "one": {"ids": [ID]},
        "count": {"filter": {"channel": "webhook", "last_error_code": "503"}, "dry_run": True},
        "slowly": {"filter": {"created_from": yesterday}, "limit": 10000, "rate_per_s": 20},
    }
    return {name: {"value": body} for name, body in bodies.items()}


def pausing() -> Examples:
    """Return bodies of POST /pauses by name."""
    bodies: dict[str, dict[str, Any]] = {
        "destination": {
            "kind": "destination",
            "name": "https://example.org",
            "reason": "It moves.",
        },
        "channel": {"kind": "channel", "name": "email"},
        "producer": {"kind": "producer", "name": "shop"},
    }
    return {name: {"value": body} for name, body in bodies.items()}


def cancelling(now: datetime) -> Examples:
    """Return bodies of POST /cancel by name."""
    yesterday = rfc3339(now - timedelta(days=1))
    bodies: dict[str, dict[str, Any]] = {
        "count": {"filter": {"channel": "email", "reference": "campaign-7"}, "dry_run": True},
        "one producer's": {
            "filter": {"producer": "shop", "created_from": yesterday},
            "limit": 10000,
        },
    }
    return {name: {"value": body} for name, body in bodies.items()}


def probing() -> Examples:
    """Return bodies of POST /destinations/probe by name."""
    bodies = {
        "webhooks": {"channel": "webhook", "destination": "https://hooks.example.org"},
        "mails": {"channel": "email", "destination": "example.org"},
    }
    return {name: {"value": body} for name, body in bodies.items()}


def making_keys() -> Examples:
    """Return bodies of POST /keys by name."""
    team = {"kind": "team", "recipients": ["*@example.org", "https://hooks.example.org/*"]}
    bodies: dict[str, dict[str, Any]] = {
        "producer": {"producer": "shop", "scopes": ["send", "read"]},
        "operator": {"producer": "ops", "scopes": ["operate"], "rate_per_s": 10, "burst": 20},
        "staging": {"producer": "staging", "scopes": ["send"]} | team,
    }
    return {name: {"value": body} for name, body in bodies.items()}


def rotating() -> Examples:
    """Return bodies of POST /keys/{id}/rotate by name."""
    return {"tomorrow": {"value": {"grace_s": 86400}}, "leaked": {"value": {"grace_s": 0}}}


def rfc3339(at: datetime) -> str:
    """Write a time as clients do, in whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
