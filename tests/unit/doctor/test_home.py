"""What the doctor says of the ledger's home."""

import pytest

from service.doctor.home import judged_home
from service.home import REMEDY, Home


def home(is_home, environment, is_place, is_in_use):
    return Home(is_home=is_home, environment=environment, is_place=is_place, is_in_use=is_in_use)


@pytest.mark.parametrize(
    ("home", "found"),
    [
        (home(True, None, True, True), "here: ENVIRONMENT is not declared, so server and database"),
        (home(True, "production", True, True), "production, here"),
        (home(True, "production", False, False), "production, on another server than before, or"),
    ],
)
def test_at_home_there_is_nothing_to_do(home, found):
    finding = judged_home(home, "production")
    assert finding.found.startswith(found)
    assert finding.advice == ""


@pytest.mark.parametrize("declared", [None, "production"])
def test_a_copy_is_named_with_its_remedies(declared):
    finding = judged_home(home(False, declared, False, False), "staging")
    assert (finding.what, finding.found, finding.advice) == (
        "home",
        "this ledger was copied, and nothing is sent",
        REMEDY,
    )


def test_a_wrong_environment_is_named_with_the_right_one():
    finding = judged_home(home(False, "production", True, True), "staging")
    assert "at home here as production, and we have ENVIRONMENT=staging" in finding.found
    assert finding.advice.startswith("set ENVIRONMENT=production")
