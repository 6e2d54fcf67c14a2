"""*What stays* of ops/SQL.md is what the catalog has: what a producer may call, and its words."""

import re
from pathlib import Path

from tests.corpus import REFUSED

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "ops" / "SQL.md").read_text(encoding="utf-8").partition("\n## What stays\n")[2]
STABILITY = (ROOT / "ops" / "STABILITY.md").read_text(encoding="utf-8")
RULES = re.findall(r"`(\w+)`", PAGE.partition("of `validate` too:")[2].partition("Where a")[0])
CALLS = re.findall(r"^\| `(?:call )?notify\.(\w+)\((.*?)\)` \| (.*) \|$", PAGE, re.MULTILINE)
VIEWS = re.findall(r"^\| `notify\.(\w+)` \| (.*) \|$", PAGE, re.MULTILINE)
FUNCTION = """
select p.proargnames[:p.pronargs] as names,
  array(select t::regtype::text from unnest(p.proargtypes) as t)::text[] as types,
  case when p.proretset or p.prokind = 'p' then array(
    select a.name from unnest(p.proargnames, p.proargmodes) as a(name, mode)
    where a.mode in ('t', 'b'))
  end as columns, format_type(p.prorettype, null) as returns
from pg_proc p where p.pronamespace = 'notify'::regnamespace and p.proname = %s
"""


def words(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_every_signature_is_that_of_the_catalog(db):
    for name, given, gives in CALLS:
        [function] = db.execute(FUNCTION, [name]).fetchall()
        arguments = [tuple(a.split(" ", 1)) for a in given.split(", ") if a]
        query = "select %s::regtype::text as t"
        types = [db.execute(query, [kind]).fetchone().t for _, kind in arguments]
        assert ([n for n, _ in arguments], types) == (function.names or [], function.types), name
        if function.columns:
            assert words(gives) == function.columns, name
        elif gives == "rows of the view":
            assert function.returns == "outcomes"
        else:
            assert words(gives) == [function.returns], name


def test_every_view_has_the_columns_that_are_promised(db):
    for name, columns in VIEWS:
        got = [c.name for c in db.execute(f"select * from notify.{name}").description]
        assert words(columns) == got, name


def test_what_a_producer_may_call_or_read_is_on_the_page_and_nothing_else(db):
    rights = db.execute(
        "select kind, split_part(split_part(name, '(', 1), '.', 2) as name from"
        " notify.producer_rights() where kind in ('function', 'procedure') or privilege = 'select'"
    ).fetchall()
    names = {right.name for right in rights}
    promised = {name for name, *_ in CALLS + VIEWS}
    not_theirs = PAGE.partition("which are not for you:")[2].partition("\n\n")[0]
    assert promised <= names
    assert names - promised <= {*words(not_theirs)}


def test_every_rule_that_refuses_a_row_is_promised_by_its_name():
    sources = [ROOT / "sql" / f"{name}.sql" for name in
               ("unmet_rule", "unmet_mail_rule", "unmet_option")]  # fmt: skip
    made = {
        rule
        for path in sources
        for rule in re.findall(r"array\['(\w+)'", path.read_text(encoding="utf-8"))
    }
    assert {*RULES} == made | {"idempotency_key_reused"}
    assert {example.rule for example in REFUSED if example.rule} <= {*RULES}


def test_every_sqlstate_of_ours_that_a_producer_can_meet_is_promised():
    """What is raised by what a producer calls, and by the triggers of the table."""
    names = ("accept", "take_key", "send", "outcomes", "outcome_of", "validate", "wait", "unended")
    text = "".join((ROOT / "sql" / f"{name}.sql").read_text(encoding="utf-8") for name in names)
    raised = {*re.findall(r"errcode = '(\w{5})'", text)}
    assert raised <= {*re.findall(r"^\| ([A-Z0-9, ]+) \|", PAGE, re.MULTILINE)}
    assert "ND008" in raised


def test_the_page_of_promises_names_the_same_functions():
    table = STABILITY.partition("| function | arguments, by name |")[2].partition("\n\n")[0]
    named = {*re.findall(r"^\| `notify\.(\w+)`", table, re.MULTILINE)}
    operators = {"grant_producer", "revoke_producer"}
    assert named - operators == {name for name, *_ in CALLS}
