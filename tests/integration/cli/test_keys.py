"""`notify keys` in the database, and NOTIFY_KEY to the API."""

import json

import pytest

from tests.integration.api.serving import LINE
from tests.keys import make

ID = r"[0-9a-z]{10}"
NOBODY = "01a202f8-7610-7e1c-908b-be00881bc450"


@pytest.fixture
def keys(notify, dsn, monkeypatch):
    """Run `notify keys` on the database of the test."""
    monkeypatch.setenv("DATABASE_URL", dsn)
    return lambda *argv: notify("keys", *argv)


@pytest.fixture
def asks(notify, api, monkeypatch):
    """Run a command against the edge, with a key if one is given."""

    def run(command, *argv, key=None):
        monkeypatch.setenv("NOTIFY_KEY", str(key or ""))
        return notify(command, "--url", f"http://127.0.0.1:{api.port}", *argv)

    return run


def test_the_first_key_is_made_without_one_and_opens_the_api(keys, asks, api):
    done = keys("create", "--producer", "shop", "--scope", "send", "read")
    assert (done.code, done.out[:3]) == (0, "nk_")
    assert "shown this once" in done.err
    api.read_keys()
    assert asks("send", "log", "me", "{}").code == 1
    assert asks("send", "log", "me", "{}", key=done.out.strip()).code == 0


def test_all_that_a_key_may_be_given_is_kept(keys, db):
    done = keys(
        "create", "--producer", "shop", "--kind", "team", "--scope", "send:email", "--recipient",
        "*@example.org", "--recipient", "*@*.example.org", "--channel", "email", "--expires", "90d",
        "--rate", "2.5", "--burst", "9", "--json",
    )  # fmt: skip
    made = json.loads(done.out)
    kept = db.execute("select * from notify.api_keys").fetchone()
    assert made["key"].startswith(f"nk_{kept.id}_")
    assert (kept.kind, kept.scopes, kept.channels) == ("team", ["send:email"], ["email"])
    assert kept.recipients == ["*@example.org", "*@*.example.org"]
    assert (kept.rate_per_s, kept.burst) == (2.5, 9)
    assert round((kept.expires_at - kept.created_at).total_seconds() / 86400) == 90
    assert "sha256" not in done.out


def test_the_list_shows_each_and_no_secret(keys, db):
    valid = make(db, "send", recipients=["*@example.org"], rate_per_s=5)
    gone = make(db, "read")
    keys("revoke", gone.id)
    done = keys("list")
    assert done.code == 0
    lines = {line.split()[0]: line for line in done.out.splitlines()}
    assert "valid" in lines[valid.id]
    assert "recipients *@example.org" in lines[valid.id]
    assert "revoked" in lines[gone.id]
    assert valid.secret not in done.out
    items = json.loads(keys("list", "--json").out)
    assert {item["id"] for item in items} == {valid.id, gone.id}


def test_rotate_prints_the_successor_and_ends_the_old_one_later(keys, db):
    old = make(db)
    done = keys("rotate", old.id, "--grace", "2h")
    assert (done.code, done.out[:3]) == (0, "nk_")
    ends = db.execute("select expires_at - now() from notify.api_keys where id = %s", [old.id])
    assert 7100 < ends.fetchone()[0].total_seconds() <= 7200
    assert keys("rotate", old.id).err == (
        "notify: The producer has two valid keys of this kind and scopes: Revoke one of them first:"
        " two are for changing from one to the next.\n"
    )


def test_a_whole_key_is_taken_for_its_id_and_is_not_shown(keys, db):
    leaked = make(db)
    done = keys("revoke", str(leaked))
    assert done.out == f"{leaked.id} revoked\n"
    nobody = keys("revoke", f"nk_nobody_{leaked.secret}")
    assert (nobody.code, nobody.err) == (1, "notify: There is no such key: nobody\n")


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("create",), "whose key? Give --producer NAME"),
        (("create", "x", "--producer", "shop"), "keys create takes no ID"),
        (("list", "--rate", "1"), "--rate is not for keys list"),
        (("revoke",), "keys revoke which? Give an ID"),
        (("revoke", "a b"), "the ID is none"),
        (("revoke", "x", "--grace", "1h"), "--grace is not for keys revoke"),
        (("create", "--producer", "shop", "--scope", "all"), "--scope: Use some of send, send:web"),
        (("create", "--producer", "shop", "--kind", "x"), "--kind: Use one of live, test, team"),
        (("create", "--producer", "shop", "--kind", "team"), "--recipient: A team key sends"),
        (("create", "--producer", "shop", "--kind", "test", "--scope", "admin"), "--scope: A test"),
        (("create", "--producer", "shop", "--recipient", "https://*/"), "--recipient: Write https"),
        (("create", "--producer", "shop", "--burst", "1"), "--burst: Give a rate as well"),
        (("create", "--producer", "shop", "--rate", "-1"), "--rate: Use 0.001 to"),
        (("create", "--producer", "shop", "--expires", "0"), "--expires: a key that has ended"),
        (("create", "--producer", "x" * 64), "--producer: Use 1 to 63 characters"),
    ],
)
def test_what_cannot_be_is_one_line_in_the_words_that_were_typed(keys, db, argv, says):
    done = keys(*argv)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"notify: {says}")
    assert done.err.count("\n") == 1
    assert db.execute("select count(*) from notify.api_keys").fetchone() == (0,)


@pytest.mark.parametrize("span", ["1", "d", "1y", "-1h", "1.5d", "9999999d", "\u0661d"])
def test_a_time_that_is_none_is_a_wrong_command_line(keys, span):
    assert keys("create", "--producer", "shop", "--expires", span).code == 2


def test_without_a_database_it_says_where_it_looked(notify):
    done = notify("keys", "list")
    assert done.code == 1
    assert done.err.startswith("notify: DATABASE_URL is missing, and no `notify up` has kept")


def test_a_database_that_is_away_is_one_line(notify, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/d")
    done = notify("keys", "list")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "hunter2" not in done.err


def test_a_missing_and_a_wrong_key_say_what_to_do(asks, api, db):
    key = make(db, "read")
    api.read_keys()
    missing, wrong = asks("list"), asks("list", key=key._replace(secret=key.secret[::-1]))
    assert missing.err == (
        "notify: A key is needed: set NOTIFY_KEY, here or in .env, to one that `notify keys create`"
        " has printed (key_missing)\n"
    )
    assert wrong.err.startswith("notify: The key is not valid: NOTIFY_KEY is mistyped, revoked or")
    assert key.secret[::-1] not in wrong.err
    assert asks("list", key=key).code == 0
    out_of_scope = asks("send", "log", "me", "{}", key=key)
    assert out_of_scope.err == (
        "notify: The key may not do this: It takes a key with scope send. (scope_missing)\n"
    )


def test_the_key_may_stand_in_the_env_file(asks, api, db, bare):
    key = make(db, "read")
    api.read_keys()
    (bare / ".env").write_text(f"NOTIFY_KEY={key}\nPORT=none\n")
    assert asks("list").code == 0


@pytest.mark.parametrize("wrong", ["hunter2", "nk_hunter2_\u00fc", "nk_a_hunter2\nX-Other: 1"])
def test_a_key_that_is_none_is_told_and_not_shown(asks, wrong):
    done = asks("list", key=wrong)
    assert done.err.startswith("notify: NOTIFY_KEY=(hidden): must be a key")
    assert "hunter2" not in done.err


def test_every_command_that_asks_the_api_brings_the_key(asks, api, db):
    key = make(db, "admin")
    api.read_keys()
    sent = asks("send", "log", "me", "{}", key=key)
    id = json.loads(sent.out)["id"]
    for argv in (("status", id), ("list",), ("cancel", id), ("redrive", NOBODY)):
        assert asks(*argv, key=key).code == 0, argv
    assert api.post(LINE).status == 401
