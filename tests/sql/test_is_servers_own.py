"""Of what the server speaks by a SQLSTATE: of itself, or of a row."""

import pytest


@pytest.mark.parametrize(
    ("state", "own"),
    [("08006", True), ("25006", True), ("40001", True), ("53200", True), ("57P01", True),
     ("58030", True), ("F0001", True), ("55P03", True), ("55000", False), ("23514", False),
     ("P0001", False), ("42P01", False), ("XX001", False), ("ND002", False)],
)  # fmt: skip
def test_classes_of_errors(shared_db, state, own):
    found = shared_db.execute("select notify.is_servers_own(%s) as own", [state]).fetchone()
    assert found.own is own
