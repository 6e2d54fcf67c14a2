"""Annotations: what happened meanwhile, as marks on every panel."""

from ops.dashboards.queries import LOKI, PROMETHEUS, Json

ANNOTATIONS: list[Json] = [
    {
        "builtIn": 1,
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "enable": True,
        "hide": True,
        "iconColor": "rgba(0, 211, 255, 1)",
        "name": "Annotations & Alerts",
        "type": "dashboard",
    },
    {
        # The value is the moment itself, so a start is marked where it was, whatever the step.
        "name": "Deploys and restarts",
        "datasource": PROMETHEUS,
        "enable": True,
        "iconColor": "blue",
        "expr": '1000 * process_start_time_seconds{job="notify"}'
        " * on (instance) group_left (version, schema) notify_build_info",
        "useValueForTime": True,
        "step": "1m",
        "titleFormat": "{{role}} started",
        "textFormat": "{{instance}}: version {{version}}, schema {{schema}}",
        "tagKeys": "role,version",
    },
    {
        "name": "Operator verbs",
        "datasource": PROMETHEUS,
        "enable": True,
        "iconColor": "purple",
        "expr": "sum by (verb) (increase(api_operator_rows_total[1m])) > 0",
        "step": "1m",
        "titleFormat": "{{verb}}",
        "textFormat": "Turn on the annotation 'Operator verbs, by line' for what was moved",
        "tagKeys": "verb",
    },
    {
        "name": "Operator verbs, by line",
        "datasource": LOKI,
        "enable": False,
        "iconColor": "purple",
        "expr": '{app="notify"} |~ `"event": ?"(cancelled|redriven)"` | json',
        "titleFormat": "{{event}}",
        "textFormat": "{{notification_id}}",
        "tagKeys": "event",
    },
]
