"""Grafana's dashboards, written as Python: `python -m ops.dashboards` writes their JSON."""
