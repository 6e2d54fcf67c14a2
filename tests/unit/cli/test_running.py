"""A signal while a command starts."""

import signal

import pytest

from service.cli.running import signals_first
from service.errors import StartError


def test_an_error_that_a_signal_brought_about_is_not_told():
    """psycopg makes an error of its own of an interrupt while it connects."""
    signals = []
    with pytest.raises(KeyboardInterrupt) as raised, signals_first(signals):
        signals.append(signal.SIGTERM)
        raise StartError("PostgreSQL cannot be reached")
    assert raised.value.args == (signal.SIGTERM,)


def test_another_error_is_told():
    with pytest.raises(StartError, match="no port"), signals_first([]):
        raise StartError("no port")
