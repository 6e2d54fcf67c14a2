"""Only the parameters of a URL count, wherever else in it their names stand."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from service.ledger.db import conninfo


@pytest.mark.parametrize(
    ("url", "name", "value"),
    [
        ("postgresql://u:options=x@h/d", "options", ""),
        ("postgresql://u:connect_timeout=1@h/d", "connect_timeout", "5"),
        ("postgresql://h/d?fallback_application_name=shop", "application_name", "notify-api"),
        ("postgresql://h/d?application_name=shop", "application_name", "shop"),
        ("postgresql://h/d?options=-c%20work_mem%3D1MB", "options", "-c work_mem=1MB"),
        ("postgresql://h/d?keepalives_idle=60", "keepalives_idle", "60"),
        ("postgresql://h/keepalives_idle=60", "keepalives_idle", "20"),
        ("postgresql://h/d?client_encoding=LATIN1", "client_encoding", "UTF8"),
        ("postgresql://u:p%20'%5C@h/d", "password", "p '\\"),
        ("postgresql://a,b:5433/d", "host", "a,b"),
        ("postgresql:///d?host=/run/pg", "host", "/run/pg"),
        ("host=h dbname=d", "dbname", "d"),
    ],
)
def test_only_parameters_count(url, name, value):
    assert conninfo_to_dict(conninfo(url, "notify-api"))[name] == value
