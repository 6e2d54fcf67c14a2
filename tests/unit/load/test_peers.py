"""What load.bench.peers counts and reads; the peers themselves are not installed here."""

import argparse
import base64
import json
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from load.bench.peers.__main__ import some_of
from load.bench.peers.compare import Comparison, ranked
from load.bench.peers.dramatiq import message
from load.bench.peers.drivers.signed import headers
from load.bench.peers.install import install
from load.bench.peers.measure import first_claim
from load.bench.peers.peer import Backlog
from load.bench.processes import ROOT, BenchError
from load.bench.table import table

KEY = b"a key of some bytes"


def comparison(measure: str = "webhooks", peer: str = "graphile") -> Comparison:
    return Comparison(
        measure=measure,
        peer=peer,
        title="A Peer 1.0",
        settings={"processes": 2, "queue": 500},
        ours=[900.0, 300.0, 600.0],
        theirs=[200.0, 300.0, 100.0],
    )


def test_medians_are_compared_and_each_turn_has_its_ratio():
    row = comparison().row()
    assert (row.figure, row.ceiling, row.ratio) == (600.0, 200.0, 3.0)
    assert row.note == "3 turns, ratios 1.00 to 6.00"


@pytest.mark.parametrize(
    ("measure", "peer", "asked"),
    [
        ("webhooks", "graphile", 400.0),
        ("drain", "graphile", 260.0),
        ("webhooks", "pgqueuer", None),
        ("drain", "dramatiq", None),
    ],
)
def test_only_graphile_worker_has_to_be_beaten_by_so_much(measure, peer, asked):
    assert comparison(measure, peer).row().asked == asked


def test_the_table_names_the_peer_its_settings_and_the_ratio():
    [_, line] = table([comparison().row()]).splitlines()
    assert line.split("  ")[0] == "webhooks, signed"
    assert "600/s" in line
    assert "3.00" in line
    assert "A Peer 1.0, processes 2, queue 500 (3 turns" in line


def test_the_json_has_each_rate_behind_the_medians():
    document = json.loads(json.dumps(comparison().as_json()))
    assert document["ours"] == [900.0, 300.0, 600.0]
    assert document["theirs"] == [200.0, 300.0, 100.0]
    assert (document["ratio"], document["good"]) == (3.0, True)


def test_turns_that_do_not_pair_are_no_comparison():
    odd = Comparison(
        measure="drain", peer="graphile", title="", settings={}, ours=[1.0, 2.0], theirs=[1.0]
    )
    with pytest.raises(ValueError, match="zip"):
        odd.row()


def test_settings_are_ranked_by_their_medians():
    slow, quick, lucky = {"queue": 1}, {"queue": 2}, {"queue": 3}
    rates = [(slow, [1.0, 1.0, 2.0]), (quick, [5.0, 6.0, 4.0]), (lucky, [2.0, 99.0, 3.0])]
    assert ranked(rates) == [(5.0, quick), (3.0, lucky), (1.0, slow)]


def test_the_first_claim_is_that_of_all_processes():
    assert first_claim(["1700000001.5\n", "", "1700000000.25\n1700000000.26\n"]) == 1700000000.25


def test_names_are_taken_from_a_list():
    assert some_of(("webhooks", "drain"))("drain,webhooks") == ["drain", "webhooks"]
    with pytest.raises(argparse.ArgumentTypeError, match="slow: none of webhooks, drain"):
        some_of(("webhooks", "drain"))("drain,slow")


def test_peers_are_never_installed_into_the_repository(tmp_path: Path):
    for inside in (ROOT, ROOT / "load" / "out", tmp_path / "link"):
        if inside == tmp_path / "link":
            inside.symlink_to(ROOT)
        with pytest.raises(BenchError, match="inside of the repository"):
            install(inside)


def test_the_drivers_sign_as_the_reference_implementation_does():
    body = b'{"text": "hello"}'
    signed = headers(KEY, "an id", body, "a peer")
    assert Webhook(base64.b64encode(KEY).decode()).verify(body, signed) == {"text": "hello"}


@pytest.mark.parametrize(
    ("url", "actor", "arguments"), [(None, "noop", 0), ("http://127.0.0.1/hook", "deliver", 1)]
)
def test_a_message_is_spelled_as_dramatiq_spells_it(url, actor, arguments):
    key, spelled = message(Backlog(rows=1, url=url))
    read = json.loads(spelled)
    assert set(read) == {
        "queue_name", "actor_name", "args", "kwargs", "options", "message_id", "message_timestamp",
    }  # fmt: skip
    assert (read["queue_name"], read["actor_name"]) == ("default", actor)
    assert len(read["args"]) == arguments
    assert read["options"] == {"redis_message_id": key}
