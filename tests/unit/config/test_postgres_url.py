"""DATABASE_URL beside libpq's own variables: what is wrong is named."""

import os

import pytest

from service.config.parsers import postgres_url

URL = "postgresql://me:secret@db.example.org/notify"


@pytest.mark.parametrize(("name", "value"), [
    ("PGPORT", "5432"), ("PGHOSTADDR", ""), ("PGHOST", "other"), ("PGPASSWORD", "p"),
    ("PGSSLMODE", "require"), ("PGUSER", ""),
])  # fmt: skip
def test_a_variable_that_does_no_harm_does_none(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert postgres_url(URL) == URL


@pytest.mark.parametrize(("name", "value"), [
    ("PGSSLMODE", "nope"), ("PGSERVICE", "none"), ("PGTARGETSESSIONATTRS", "me"),
    ("PGREQUIREAUTH", "nope"), ("PGHOSTADDR", "127.0.0.1"),
])  # fmt: skip
def test_a_variable_that_spoils_it_is_named_and_stays(monkeypatch, name, value):
    monkeypatch.setenv("PGUSER", "me")
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"beside {name} of the environment") as caught:
        postgres_url(URL)
    assert "secret" not in str(caught.value)
    assert (os.environ[name], os.environ["PGUSER"]) == (value, "me")


def test_a_fault_of_the_url_is_its_own(monkeypatch):
    monkeypatch.setenv("PGSSLMODE", "nope")
    with pytest.raises(ValueError, match=r"that libpq can read$"):
        postgres_url(f"{URL}?sslmode=nope&gone=1")


def test_a_parameter_of_the_url_counts_and_not_the_variable(monkeypatch):
    monkeypatch.setenv("PGSSLMODE", "nope")
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.2")
    assert postgres_url(f"{URL}?sslmode=require&hostaddr=127.0.0.1")
