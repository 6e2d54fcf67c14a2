"""Variables: what a reader chooses at the top of a dashboard."""

from collections.abc import Mapping

from ops.dashboards.queries import POSTGRES, PROMETHEUS, Json
from service.model.words import Channel


def choice(name: str, label: str, values: Mapping[str, str]) -> Json:
    """Choose among values with their names; all unless said otherwise.

    A fixed list without an allValue: All becomes each value, which suits PromQL and SQL alike.
    """
    options = [{"selected": True, "text": "All", "value": "$__all"}]
    options += [{"selected": False, "text": text, "value": value} for value, text in values.items()]
    return {
        "type": "custom",
        "name": name,
        "label": label,
        "query": ", ".join(f"{text} : {value}" for value, text in values.items()),
        "multi": True,
        "includeAll": True,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "options": options,
    }


def label_values(name: str, label: str, query: str) -> Json:
    """Choose among the values that Prometheus has for a label; all unless said otherwise."""
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": PROMETHEUS,
        "query": {"qryType": 5, "query": query, "refId": name},
        "definition": query,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "refresh": 2,
        "sort": 1,
    }


def textbox(name: str, label: str, about: str) -> Json:
    """Let somebody type."""
    return {
        "type": "textbox",
        "name": name,
        "label": label,
        "description": about,
        "query": "",
        "current": {"selected": True, "text": "", "value": ""},
        "options": [{"selected": True, "text": "", "value": ""}],
    }


def ledger_values(name: str, label: str, query: str) -> Json:
    """Choose among the values that a query of the ledger gives; the first unless said otherwise."""
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": POSTGRES,
        "query": query.strip(),
        "definition": query.strip(),
        "multi": False,
        "includeAll": False,
        "current": {"selected": True, "text": "", "value": ""},
        "refresh": 2,
        "sort": 0,
    }


CHANNELS: dict[str, str] = {channel: channel for channel in Channel}
LANE_NAMES = {"0": "0 urgent", "1": "1", "2": "2 default", "3": "3 bulk"}

CHANNEL = choice("channel", "Channel", CHANNELS)
PRIORITY = choice("priority", "Priority", LANE_NAMES)
INSTANCE = label_values("instance", "Instance", 'label_values(up{job="notify"}, instance)')
