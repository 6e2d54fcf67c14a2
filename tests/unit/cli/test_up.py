"""What `notify up` says of the database that it was given."""

import pytest

from service.cli.up import whose_database
from service.config.settings import read_settings

POOLER, DIRECT = "postgresql://app:hunter2@pooler:6432/d", "postgresql://ops:hunter2@pg/d"


@pytest.mark.parametrize(
    ("environ", "written", "said"),
    [
        ({"DATABASE_URL": POOLER}, {},
         "d on pooler:6432 as app, the DATABASE_URL of the environment; in the environment"),
        ({}, {"DATABASE_URL": POOLER},
         "d on pooler:6432 as app, the DATABASE_URL of {file}; in {file}"),
        ({"DATABASE_DIRECT_URL": DIRECT}, {"DATABASE_URL": POOLER},
         "d on pg as ops, the DATABASE_DIRECT_URL of the environment; in {file}"),
        ({"DATABASE_URL": POOLER}, {"DATABASE_DIRECT_URL": DIRECT},
         "d on pg as ops, the DATABASE_DIRECT_URL of {file}; in the environment"),
    ],
)  # fmt: skip
def test_the_setting_that_leads_to_the_database_is_named_and_where_it_is(
    monkeypatch, tmp_path, environ, written, said
):
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "DATABASE_DIRECT_URL"):
        monkeypatch.setenv(name, environ.get(name, ""))
    file = tmp_path / ".env"
    file.write_text("".join(f"{name}={value}\n" for name, value in written.items()))
    where, _, its_own = said.format(file=file).partition("; ")
    assert whose_database(read_settings()) == (
        f"notify: using and migrating database {where}; `DATABASE_URL=` {its_own}, and notify up"
        " brings its own"
    )
