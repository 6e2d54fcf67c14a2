"""SQL and HTTP refuse the same: one corpus, held against both, and the rest against the worker."""

import json

import psycopg
import pytest

from service.api.body import read_notification
from service.config.settings import Settings
from service.http.problems import Problem
from service.model.words import Outcome
from tests.corpus import OK, REFUSED
from tests.ledger import insert
from tests.unit.workers.claims import a_claim
from workers.channels import channels

SETTINGS = Settings(smtp_url="smtp://127.0.0.1", mail_from="us@example.com")


@pytest.fixture
def db(shared_db):
    return shared_db


@pytest.mark.parametrize("example", OK, ids=str)
def test_what_is_well_is_accepted_by_both(db, example):
    read_notification(example.body, SETTINGS)
    insert(
        db,
        channel=example.channel,
        recipient=example.recipient,
        payload=json.dumps(example.payload),
    )


@pytest.mark.parametrize("example", REFUSED, ids=str)
def test_the_edge_refuses_with_the_code(example):
    with pytest.raises(Problem) as caught:
        read_notification(example.body, SETTINGS)
    assert caught.value.code == example.code


@pytest.mark.parametrize("example", [e for e in REFUSED if e.rule], ids=str)
def test_sql_refuses_by_name_and_says_what_to_write(db, example):
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        insert(
            db,
            channel=example.channel,
            recipient=example.recipient,
            payload=json.dumps(example.payload),
        )
    assert caught.value.diag.constraint_name == example.rule
    assert caught.value.diag.message_hint


@pytest.mark.parametrize("example", [e for e in REFUSED if not e.rule], ids=str)
def test_what_sql_cannot_know_fails_at_the_worker_with_the_same_code(db, example):
    insert(
        db,
        channel=example.channel,
        recipient=example.recipient,
        payload=json.dumps(example.payload),
    )
    claim = a_claim(example.payload, channel=example.channel, recipient=example.recipient)
    verdict = channels(SETTINGS)[example.channel].prepare(claim)
    assert (verdict.outcome, verdict.code) == (Outcome.PERMANENT, example.code)
