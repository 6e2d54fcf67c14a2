"""Spans for OpenTelemetry: one for each enqueue over HTTP, one for each attempt.

Off without the extra `otel`, and without a collector's address in the standard OTEL_* variables:
then there is no Tracer, and what would use it asks `is None` once. Only start.py is imported by
others at run time, as the rest needs the extra.
"""
