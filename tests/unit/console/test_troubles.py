"""What is wrong, in words: what stops most comes first."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from service.console.destination_troubles import DEAD_SHOWN, FAILING_SHOWN, probe
from service.console.places import pause, resume
from service.console.stuck_troubles import REFUSED_PATH
from service.console.troubles import are_old, troubles
from service.doctor.finding import Finding
from service.ledger.now_store import (
    FAILING_MAX,
    KEPT_BACK_MAX,
    Failing,
    KeptBack,
    Standing,
    Stuck,
)
from service.model.notification import Sentence
from service.model.pause import Pause
from service.model.server import LockHolder

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
ID = UUID("01a202f8-7610-7e1c-908b-be00881bc450")
OURS = LockHolder(7, "notify", "notify-disp", True)
FRESH = NOW - timedelta(seconds=3)
LONG_AGO = NOW - timedelta(minutes=4)


def standing(leader=OURS, beat_at=FRESH, kept_back=(), failing=(), stuck=()):
    return Standing(
        now_at=NOW, beat_at=beat_at, leader=leader, kept_back=list(kept_back),
        failing=list(failing), stuck=list(stuck),
    )  # fmt: skip


def dead(number=0, code="503"):
    name = f"https://{number}.example"
    return KeptBack("webhook", name, "breaker", LONG_AGO, None, code, None)


def row(kind, error=None):
    return Stuck(kind, ID, "log", 2, LONG_AGO, error, "ada@example.org")


def wrong(figures_at=FRESH, findings=(), why=(), interval_s=5.0, **how):
    return troubles(standing(**how), figures_at, interval_s, findings, why_overdue=why)


def test_nothing_is_wrong_while_all_is_well():
    fine = Finding("Redis", "7.4")
    assert wrong(findings=[fine]) == []


@pytest.mark.parametrize(
    ("age_s", "interval_s", "old"),
    [
        (15, 5, False),
        (16, 5, True),
        (16, 0.5, True),
        (14, 0.5, False),
        (179, 60, False),
        (181, 60, True),
    ],
)
def test_figures_are_old_after_some_intervals(age_s, interval_s, old):
    assert are_old(NOW - timedelta(seconds=age_s), NOW, interval_s) is old


def test_without_a_leader_the_words_have_the_time_and_the_command():
    [trouble] = wrong(LONG_AGO, leader=None)
    assert (trouble.title, trouble.since) == ("No dispatcher leads", LONG_AGO)
    assert trouble.command == "notify dispatcher"


def test_without_a_leader_it_is_said_at_once_however_rarely_a_leader_counts():
    since = NOW - timedelta(seconds=16)
    assert [t.title for t in wrong(since, leader=None, interval_s=60)] == ["No dispatcher leads"]
    assert wrong(since, interval_s=60) == []


def test_a_change_of_leaders_is_no_trouble():
    assert wrong(FRESH, leader=None) == []


def test_where_none_ever_led_that_is_said():
    assert [t.title for t in wrong(None, leader=None)] == ["No dispatcher leads"]


def test_a_leader_that_has_just_begun_has_not_counted_yet():
    assert wrong(None) == []


def test_a_leader_that_does_not_count_is_named():
    [trouble] = wrong(LONG_AGO)
    assert "counts nothing" in trouble.title
    assert "pid 7" in trouble.text
    assert trouble.command == "select pg_terminate_backend(7)"


def test_a_stranger_who_holds_the_lock_is_ended_by_its_pid():
    [trouble] = wrong(FRESH, leader=LockHolder(8, "eve", "psql", False))
    assert trouble.command == "select pg_terminate_backend(8)"


def test_a_prepared_transaction_that_holds_the_lock_is_rolled_back():
    [trouble] = wrong(FRESH, leader=LockHolder(None, None, None, False))
    assert "roll it back" in trouble.text
    assert trouble.command == ""


@pytest.mark.parametrize("beat_at", [None, NOW - timedelta(seconds=31)])
def test_without_workers_nothing_is_sent(beat_at):
    [trouble] = wrong(beat_at=beat_at)
    assert (trouble.command, trouble.since) == ("notify worker", beat_at)


def test_a_refused_row_brings_the_words_of_the_database():
    [trouble] = wrong(stuck=[row("refused", "no more for acme")])
    assert trouble.text.startswith("no more for acme: a trigger")
    assert trouble.links == (("See the notification", f"/console/notifications/{ID}"),)
    assert [verb.url for verb in trouble.verbs] == [f"/notifications/{ID}/cancel"]


def test_rows_that_are_refused_for_one_reason_are_one_trouble():
    one, other = row("refused", "no more for acme"), row("refused", "not on mondays")
    many, single = wrong(stuck=[one, other, one])
    assert many.title == "PostgreSQL refuses to move at least 2 notifications"
    assert many.text.startswith("no more for acme: a trigger")
    assert many.verbs == ()
    assert many.links[1][1] == "/console/search?status=queued&last_error_code=refused"
    assert single.text.startswith("not on mondays: ")


def test_rows_that_one_function_refuses_are_one_trouble_though_it_names_them():
    where = "(PL/pgSQL function public.limits() line 3 at RAISE)"
    [trouble] = wrong(stuck=[row("refused", f"no room for (order {n}) {where}") for n in range(5)])
    assert trouble.title == "PostgreSQL refuses to move at least 5 notifications"
    assert trouble.text.startswith(f"no room for (order 0) {where}: a trigger")


def test_two_functions_that_refuse_are_two_troubles():
    lines = [f"no (PL/pgSQL function public.limits() line {n} at RAISE)" for n in (3, 9)]
    assert len(wrong(stuck=[row("refused", line) for line in lines])) == 2


@pytest.mark.parametrize(("causes", "are_many"), [(2, False), (3, True)])
def test_with_many_causes_each_leads_to_the_search_for_all(causes, are_many):
    found = wrong(stuck=[row("refused", f"order {n} is late") for n in range(causes)])
    paths = [[path for _, path in trouble.links] for trouble in found]
    assert all((REFUSED_PATH in links) is are_many for links in paths)


@pytest.mark.parametrize("kind", ["refused", "unsettled"])
def test_where_the_database_does_not_say_why_the_log_is_named(kind):
    [trouble] = wrong(stuck=[row(kind)])
    assert "The worker's log says why: refused_by_database." in trouble.text
    [trouble] = wrong(stuck=[row(kind, "no")])
    assert "log" not in trouble.text


def took_nothing(number=0, sends=3):
    name = f"https://{number}.example"
    return Failing("webhook", name, sends, LONG_AGO, "the receiver failed (500)", "Ask it.", FRESH)


def test_a_destination_that_took_nothing_is_named_unless_its_breaker_is():
    [trouble] = wrong(failing=[took_nothing()])
    assert trouble.title == "https://0.example took nothing of what was sent to it"
    assert (
        "failed: 3, counted up to 2026-01-02 11:59:57 UTC. The receiver failed (500). Ask it. What"
        in (trouble.text)
    )
    assert trouble.links[0][1].startswith("/console/destinations?channel=webhook&name=https")
    [broken] = wrong(failing=[took_nothing()], kept_back=[dead()])
    assert "does not answer" in broken.title


def test_where_only_a_url_fails_its_destination_is_not_said_to_be_silent():
    [broken] = wrong(kept_back=[replace(dead(), is_url=True)])
    assert broken.title == "A URL of https://0.example fails again and again"


def test_those_with_a_breaker_hide_none_that_took_nothing():
    failing = [took_nothing(n) for n in range(9)]
    found = wrong(failing=failing, kept_back=[dead(n) for n in range(5)])[DEAD_SHOWN + 1 :]
    assert [t.title for t in found] == [
        *(f"https://{n}.example took nothing of what was sent to it" for n in (5, 6, 7)),
        "1 more destination took nothing of what was sent",
    ]
    assert found[-1].links == (("See the destinations", "/console/destinations"),)
    assert len(wrong(failing=failing[:FAILING_SHOWN])) == FAILING_SHOWN


def test_many_that_took_nothing_are_one_trouble_more():
    found = wrong(failing=[took_nothing(n) for n in range(FAILING_MAX)])
    assert len(found) == FAILING_SHOWN + 1
    assert found[-1].title == "At least 51 more destinations took nothing of what was sent"


@pytest.mark.parametrize(
    "pause",
    [{}, {"kind": "destination", "channel": "webhook", "name": "https://0.example"}],
)
def test_what_is_paused_did_not_take_nothing(pause):
    paused = replace(PAUSED, **pause)
    look = standing(failing=[took_nothing()])
    assert troubles(look, FRESH, 5.0, (), pauses=[paused]) == []
    resumed = replace(paused, resumed_at=FRESH)
    assert len(troubles(look, FRESH, 5.0, (), pauses=[resumed])) == 1


def test_what_a_trigger_says_names_no_recipient():
    for kind in ("refused", "unsettled"):
        [trouble] = wrong(stuck=[row(kind, "no mail to ADA@example.org")])
        assert trouble.text.startswith("no mail to a…@example.org: ")
    [trouble] = wrong(stuck=[row("refused")])
    assert trouble.text.startswith("It does not say why: ")


def test_why_something_waits_is_what_explains_it():
    why = [
        Sentence("no_worker", "No worker was ever heard of.", None, "notify worker"),
        Sentence("next", "It is the next.", None, None),
        Sentence("overlooked", "Workers have room for it.", None, "notify doctor"),
        Sentence("enqueued", "It was enqueued by shop.", None, None),
    ]
    [trouble] = wrong(stuck=[row("overdue")], why=why)
    assert trouble.text == "It is the next. Workers have room for it."
    assert trouble.command == "notify doctor"


def test_what_waits_without_a_reason_is_named_nevertheless():
    [trouble] = wrong(stuck=[row("overdue")])
    assert "do not keep up" in trouble.text


def test_leases_of_the_dead_are_named_once():
    assert len(wrong(stuck=[row("lease"), row("lease")])) == 1


def test_many_dead_destinations_are_one_trouble_more():
    found = wrong(kept_back=[dead(n) for n in range(10)])
    assert len(found) == DEAD_SHOWN + 1
    assert found[-1].title == "7 more destinations do not answer"
    found = wrong(kept_back=[dead(n) for n in range(KEPT_BACK_MAX)])
    assert found[-1].title == "At least 47 more destinations do not answer"


def test_what_helps_a_dead_destination_is_said():
    redirects = replace(dead(), meaning="it redirects (301)", advice="Send to the new URL.")
    [trouble] = wrong(kept_back=[redirects])
    assert trouble.text.startswith("It redirects (301). Send to the new URL. What is for it waits")


def test_one_more_dead_destination_is_written_so():
    found = wrong(kept_back=[dead(n) for n in range(DEAD_SHOWN + 1)])
    assert found[-1].title == "1 more destination does not answer"


def test_one_of_each_cause_is_shown_before_a_second_of_one():
    codes = ["dns", "dns", "connect_failed", "dns", "tls"]
    found = wrong(kept_back=[dead(n, code) for n, code in enumerate(codes)])
    assert [t.title for t in found[:DEAD_SHOWN]] == [
        f"https://{n}.example does not answer" for n in (0, 2, 4)
    ]
    assert found[-1].title == "2 more destinations do not answer"


@pytest.mark.parametrize(
    ("codes", "is_ours"),
    [
        (["dns", "timeout", "dns", "connect_failed"], True),
        (["dns", "tls", "dns", "dns"], False),
        (["503", "503", "503", "503"], False),
    ],
)
def test_ones_own_network_is_suspected_only_if_all_look_like_it(codes, is_ours):
    *_, more = wrong(kept_back=[dead(n, code) for n, code in enumerate(codes)])
    assert ("own network" in more.text) is is_ours


def test_a_slow_destination_is_no_trouble():
    slow = KeptBack("webhook", "https://slow.example", "pace", LONG_AGO, None, "429", None)
    assert wrong(kept_back=[slow]) == []


def test_the_buttons_ask_the_api():
    assert probe(dead(), []).body == {"channel": "webhook", "destination": "https://0.example"}
    assert pause("webhook", "https://0.example").body == {
        "kind": "destination", "channel": "webhook", "name": "https://0.example",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("state", "can"), [("breaker", True), ("pace", True), ("url", True), ("name", False)]
)
def test_what_a_probe_can_end_has_the_button(state, can):
    assert (probe(replace(dead(), state=state), []) is not None) == can


def test_the_mail_server_of_all_cannot_be_paused():
    assert pause("email", "") is None


PAUSED = Pause(
    id=7, kind="channel", name="webhook", channel=None, reason=None, paused_by="ops",
    paused_at=LONG_AGO, resumed_at=None, waiting=3,
)  # fmt: skip


def test_a_pause_is_resumed_once():
    assert resume(PAUSED).url == "/pauses/7/resume"
    assert resume(replace(PAUSED, resumed_at=FRESH)) is None


def paused_troubles(*pauses):
    return troubles(standing(), FRESH, 5.0, (), pauses=pauses)


FORGOTTEN = replace(PAUSED, paused_at=NOW - timedelta(days=3), waiting=4)


def test_a_pause_that_was_forgotten_is_named_with_its_end():
    [trouble] = paused_troubles(FORGOTTEN)
    assert trouble.title == "Channel webhook has been paused for more than a day"
    assert trouble.text.startswith("4 wait for it, and go out only when it is resumed.")
    assert (trouble.since, trouble.command) == (FORGOTTEN.paused_at, "notify resume 7")
    assert trouble.verbs == (resume(FORGOTTEN),)


@pytest.mark.parametrize(
    "fine",
    [{"paused_at": NOW - timedelta(hours=24)}, {"waiting": 0}, {"resumed_at": FRESH}],
)
def test_a_pause_that_is_new_or_over_or_holds_nothing_is_no_trouble(fine):
    assert paused_troubles(replace(FORGOTTEN, **fine)) == []


@pytest.mark.parametrize(
    ("waiting", "words"),
    [
        (1, "1 waits for it, and goes"),
        (1000, "1,000 or more wait for it"),
        (None, "Some wait for it"),
    ],
)
def test_how_many_wait_for_a_forgotten_pause_is_said(waiting, words):
    [trouble] = paused_troubles(replace(FORGOTTEN, waiting=waiting))
    assert trouble.text.startswith(words)


def test_many_forgotten_pauses_are_one_trouble_more():
    found = paused_troubles(*(replace(FORGOTTEN, id=n) for n in range(5)))
    assert [t.title for t in found[3:]] == ["2 more pauses are older than a day"]


def test_what_is_paused_is_not_probed():
    assert probe(dead(), [PAUSED]) is None
    assert probe(dead(), [replace(PAUSED, resumed_at=FRESH)]) is not None
    assert probe(dead(), [replace(PAUSED, name="email")]) is not None
    [trouble] = troubles(standing(kept_back=[dead()]), FRESH, 5.0, (), pauses=[PAUSED])
    assert trouble.verbs == ()


def test_what_the_doctor_advises_comes_last():
    advised = Finding("leases", "3 passed", "the reaper does not run")
    found = wrong(LONG_AGO, leader=None, kept_back=[dead()], findings=[advised])
    assert [t.title for t in found] == [
        "No dispatcher leads", "https://0.example does not answer", "Leases: 3 passed",
    ]  # fmt: skip
    assert found[-1].text == "The reaper does not run."


def test_what_one_cure_helps_is_one_trouble():
    def missing(number, advice="run notify migrate"):
        return Finding("schema", f"index {number} is missing", advice)

    found = wrong(findings=[missing(1), missing(2), missing(3, "drop it"), missing(4)])
    assert [(t.title, t.text) for t in found] == [
        (
            "Schema: index 1 is missing",
            "Run notify migrate. That helps here as well: index 2 is missing; index 4 is missing.",
        ),
        ("Schema: index 3 is missing", "Drop it."),
    ]
    [many] = wrong(findings=[missing(n) for n in range(9)])
    assert many.text.endswith("; index 5 is missing; and 3 more.")
