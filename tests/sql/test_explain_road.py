"""explain_road(): what keeps everything like this from being sent."""

from tests.explaining import MAIL, beat, first, leading, silence
from tests.ledger import ago, claim, enqueue


def test_in_a_copy_everything_is_held(road):
    [id] = enqueue(road)
    [held] = enqueue(road)
    claim(road, [held])
    [later] = enqueue(road, send_at=ago(road, "-1 hour"))
    road.execute("update notify.settings set database_name = 'elsewhere', server_started_at = null")
    for each in (id, held, later):
        got = first(road, each)
        assert (got.code, got.command) == ("held_as_copy", "notify adopt")
    road.execute("select notify.adopt(null)")
    assert first(road, id).code == "next"


def test_in_a_copy_with_another_environment_everything_is_held(road):
    [id] = enqueue(road)
    road.execute(
        "update notify.settings set environment = 'production', database_name = 'elsewhere'"
    )
    assert first(road, id).code == "wrong_environment"
    road.execute("select notify.notice_copy('staging')")
    assert first(road, id).code == "held_as_copy"


def test_workers_with_another_environment_take_nothing(road):
    [id] = enqueue(road)
    road.execute("update notify.settings set environment = 'production'")
    got = first(road, id)
    assert (got.code, got.command) == ("wrong_environment", "notify doctor")
    assert "'production'" in got.sentence


def test_without_a_worker_nothing_is_taken(db, dsn):
    [id] = enqueue(db)
    with leading(dsn):
        assert first(db, id).code == "no_worker"
        assert "No worker was ever heard of" in first(db, id).sentence
        beat(db)
        assert first(db, id).code == "next"
        silence(db, "31 s")
        assert "No worker was heard of since" in first(db, id).sentence
        assert first(db, id).command == "notify worker"


def test_a_lease_of_a_worker_unheard_of_says_that_workers_are_there(db, dsn):
    [id, other] = enqueue(db, 2)
    with leading(dsn):
        claim(db, [other], worker="old:1")
        assert first(db, id).code == "next"


def test_without_a_dispatcher_that_is_said(db):
    [id] = enqueue(db)
    beat(db)
    got = first(db, id)
    assert (got.code, got.command) == ("no_dispatcher", "notify dispatcher")


def test_a_channel_that_no_worker_can_send_on(road):
    [id] = enqueue(road, 1, **MAIL)
    got = first(road, id)
    assert got.code == "channel_not_configured"
    assert "SMTP_URL" in got.sentence
    beat(road, "w:2", channels=["email"])
    assert first(road, id).code == "next"
