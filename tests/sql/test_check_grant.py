"""Rights are granted by the owner, to a role that is there."""

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.producers import role


@pytest.mark.parametrize("verb", ["grant_producer", "revoke_producer"])
def test_a_role_that_is_not_there_is_named(db, verb):
    with pytest.raises(psycopg.errors.UndefinedObject) as caught:
        db.execute(f"select notify.{verb}('No Body')")
    assert caught.value.diag.message_primary == 'there is no role "No Body"'


@pytest.mark.parametrize("verb", ["grant_producer", "revoke_producer"])
def test_only_the_owner_grants(db, dsn, verb):
    """Not the service under a role that owns nothing, though it may call and write everything."""
    with role(db) as user:
        for what in ("all on all tables", "all on all functions"):
            db.execute(SQL(f"grant {what} in schema notify to {{}}").format(Identifier(user)))
        db.execute(SQL("grant usage on schema notify to {}").format(Identifier(user)))
        with psycopg.connect(dsn, user=user, password="p") as session:
            with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
                session.execute(SQL("select notify.{}(%s)").format(Identifier(verb)), [user])
            assert caught.value.diag.message_hint.endswith("the owner of notify.notifications.")
