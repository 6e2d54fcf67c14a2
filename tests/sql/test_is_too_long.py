"""Is too long: seen without making a text of a gigabyte."""

import psycopg
import pytest

MANY = "('[' || repeat({number} || ',', {count}) || '1]')::jsonb"
TRAPS = {
    "large numbers": MANY.format(number="'1e131000'", count=9000),
    "large negative ones": MANY.format(number="'-1e131000'", count=9000),
    "zeros of many decimals": MANY.format(number="'0e-16383'", count=9000),
    "ones of many decimals": MANY.format(number="'1.' || repeat('0', 16383)", count=700),
    "numbers that are nested": MANY.format(number="""'{"a":[[{"b":1e131000}]]}'""", count=900),
}


def is_too_long(db, payload):
    return db.execute(f"select notify.is_too_long({payload}) as x").fetchone().x


@pytest.mark.parametrize("name", TRAPS)
def test_what_would_be_very_long_is_seen(shared_db, name):
    assert is_too_long(shared_db, TRAPS[name])


@pytest.mark.parametrize("name", TRAPS)
def test_it_is_refused_by_the_rule_of_its_length(shop, name):
    """Its text is longer than a text may be: to make it was another error, and 2 GB."""
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        shop.execute(f"select notify.send('log', 'r', {TRAPS[name]})")
    assert caught.value.diag.constraint_name == "payload_is_at_most_256_kib"


@pytest.mark.parametrize("name", TRAPS)
def test_validate_says_so_too(shop, name):
    query = f"select rule from notify.validate('log', 'r', {TRAPS[name]})"
    assert shop.execute(query).fetchone().rule == "payload_is_at_most_256_kib"


def test_a_compressed_column_is_measured_as_what_it_holds(shop):
    shop.execute("create temp table kept (payload jsonb)")
    shop.execute("insert into kept select " + MANY.format(number="'1e131000'", count=9000))
    size = shop.execute("select pg_column_size(payload) as n from kept").fetchone().n
    assert size < 32768
    with pytest.raises(psycopg.errors.CheckViolation, match="256_kib"):
        shop.execute("select notify.send('log', 'r', payload) from kept")


HONEST = {
    "one large number": "'1e131071'::jsonb",
    "two": "'[1e131000, 1e131000]'::jsonb",
    "integers": "(select jsonb_agg(n) from generate_series(1, 35000) n)",
    "ones": "(select jsonb_agg(1) from generate_series(1, 87000))",
    "words": "(select jsonb_agg('é' || n) from generate_series(1, 18000) n)",
    "a text": "to_jsonb(repeat('x', 262142)::text)",
    "digits in texts": "(select jsonb_agg('1e131000'::text) from generate_series(1, 20000))",
}


@pytest.mark.parametrize("name", HONEST)
def test_what_is_within_256_kib_as_text_is_sent(db, shop, name):
    query = f"select octet_length(({HONEST[name]})::text) as n"
    assert shop.execute(query).fetchone().n <= 262144
    assert not is_too_long(db, HONEST[name])
    shop.execute(f"select notify.send('log', 'r', {HONEST[name]})")
