"""doubt_clock(): nothing is forgotten for a day, from the last time that it was called."""

import pytest

LEFT = "select forget_from - clock_timestamp() as wait from notify.settings"


@pytest.mark.parametrize("before", [None, "-1 year", "3 hours", "40 days", "infinity"])
def test_the_day_begins_anew_whatever_was_there(db, before):
    query = "update notify.settings set forget_from = clock_timestamp() + %s::interval"
    if before == "infinity":
        query = "update notify.settings set forget_from = %s"
    db.execute(query, [before])
    db.execute("select notify.doubt_clock()")
    assert 86_000 < db.execute(LEFT).fetchone().wait.total_seconds() <= 86_400
