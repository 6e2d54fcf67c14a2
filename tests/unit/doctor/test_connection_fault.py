"""The errors of libpq, servers and poolers on a failed connection, and what doctor says of them."""

import pytest

from service.doctor.connection_fault import connection_fault
from service.errors import DatabaseAway

URL = "postgresql://shop:hunter2@db.example.org:5433/orders"
REFUSED = 'connection to server at "10.0.0.1", port 5433 failed: '


def fault(text, url=URL):
    error = DatabaseAway("short")
    error.__cause__ = RuntimeError(text)
    return connection_fault("DATABASE_URL", url, error)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('FATAL:  password authentication failed for user "shop"', "refuses the password of shop"),
        ("fe_sendauth: no password supplied", "asks for a password of shop"),
        ('FATAL:  Peer authentication failed for user "shop"', "by the account that asks"),
        ("FATAL:  SASL authentication failed", "refuses the password of shop"),
        ('FATAL:  role "shop" does not exist', "has no user shop"),
        ('FATAL:  role "shop" is not permitted to log in', "may not log in"),
        ('FATAL:  database "orders" does not exist', "has no database orders"),
        ("FATAL:  no such database: orders", "has no database orders"),
        ('FATAL:  permission denied for database "orders"', "not into the database orders"),
        ("server does not support SSL, but SSL was required", "offers no TLS"),
        ("SSL error: certificate verify failed", "from nobody we trust"),
        ("SSL error: certificate verify failed: certificate has expired", "not valid today"),
        ('server certificate for "other" does not match host name "db"', "for another name"),
        ('root certificate file "/root.crt" does not exist', "trusted certificates is missing"),
        ("FATAL:  connection requires a valid client certificate", "a certificate of ours"),
        ("SSL error: tlsv13 alert certificate required", "a certificate of ours"),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "shop", database "orders",'
         " no encryption", "does not take shop from here without TLS"),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "shop", database "orders",'
         " SSL encryption", "does not let shop from this machine"),
        ("received invalid response to SSL negotiation: H", "is no PostgreSQL"),
        ("expected authentication request from server, but received H", "is no PostgreSQL"),
        ("FATAL:  the database system is starting up", "starts or stops"),
        ("FATAL:  sorry, too many clients already", "no connection left"),
        ("FATAL:  remaining connection slots are reserved for roles with …", "no connection left"),
        ("session is read-only", "not the kind of server"),
        ("failed to resolve host 'db.example.org': [Errno -2]", "does not resolve"),
        ("failed: Connection refused", "nobody listens at db.example.org:5433"),
        ("connection timeout expired", "db.example.org:5433 does not answer"),
        ("failed: Network is unreachable", "no way to db.example.org:5433"),
        ("server closed the connection unexpectedly", "db.example.org:5433 hangs up"),
        ("FATAL:  unsupported startup parameter: options", "refuses a startup parameter"),
    ],
)  # fmt: skip
def test_each_fault_is_named_with_what_to_do(text, found):
    finding = fault(REFUSED + text)
    assert found in finding.found
    assert finding.advice
    assert "hunter2" not in finding.found + finding.advice


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("FATAL:  Passwort-Authentifizierung für Benutzer »shop« fehlgeschlagen", "user or pass"),
        ("FATAL:  la base de données « orders » n'existe pas", "correct the database's name"),
        ("ФАТАЛЬНО:  такого нет", "see DATABASE_URL: host, port, user, password"),
    ],
)
def test_another_language_is_understood_by_the_name_it_quotes(text, advice):
    finding = fault(REFUSED + text)
    assert advice in finding.advice
    assert finding.found.endswith(text.partition("  ")[2])


def test_a_name_that_looks_like_a_fault_is_none():
    text = 'FATAL:  password authentication failed for user "database timeout does not exist"'
    assert "refuses the password" in fault(REFUSED + text).found


def test_of_several_hosts_the_one_that_came_farthest_is_named():
    both = "- 'a': Connection refused\n- 'b': FATAL:  database \"orders\" does not exist"
    finding = fault(both, "postgresql://shop@a:1,b:2/orders")
    assert finding.found == "a:1, b:2 has no database orders"
