"""unmet_option(): what is wrong with the options of send(), as send() says it."""

import pytest


def unmet(db, options):
    return db.execute("select notify.unmet_option(%s::jsonb) as u", [options]).fetchone().u


@pytest.mark.parametrize(
    "options",
    [None, "{}", '{"max_attempts": 3}', '{"max_attempts": null, "traceparent": null}',
     '{"notify_on_end": true, "traceparent": "nonsense is left out"}'],
)  # fmt: skip
def test_what_is_known_is_no_fault(shared_db, options):
    assert unmet(shared_db, options) is None


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ("[]", "options_are_known"),
        ("null", "options_are_known"),
        ('{"tag": 1, "max_attempts": 0.5}', "options_are_known"),
        ('{"traceparent": 1}', "options_are_known"),
        ('{"notify_on_end": "true"}', "options_are_known"),
        ('{"max_attempts": "3"}', "max_attempts_is_1_to_100"),
        ('{"max_attempts": 1e9}', "max_attempts_is_1_to_100"),
    ],
)
def test_each_fault_has_its_rule_its_column_and_a_hint(shared_db, options, rule):
    found, column, hint = unmet(shared_db, options)
    assert (found, bool(column), bool(hint)) == (rule, True, True)
