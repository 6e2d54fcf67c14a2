import pytest


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.2, "1 s"), (99, "99 s"), (150, "3 min"), (7200, "2 h"), (400_000, "5 days")],
)
def test_a_time_has_one_unit(shared_db, seconds, text):
    query = "select notify.rough(%s::numeric) as text"
    assert shared_db.execute(query, [seconds]).fetchone().text == text
