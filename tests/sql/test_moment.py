import pytest


@pytest.mark.parametrize(
    ("at", "text"),
    [
        ("2026-11-26T07:30:00.9Z", "2026-11-26 07:30:00 UTC"),
        ("2026-11-26T07:30:00+02", "2026-11-26 05:30:00 UTC"),
        ("infinity", "the end of time"),
        (None, "some time"),
    ],
)
def test_a_time_is_written_in_utc_whatever_the_session_has_set(shared_db, at, text):
    with shared_db.transaction():
        shared_db.execute("set local timezone = 'Asia/Tokyo'; set local datestyle = 'German'")
        query = "select notify.moment(%s::timestamptz) as text"
        assert shared_db.execute(query, [at]).fetchone().text == text
