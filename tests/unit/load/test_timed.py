"""What the bench reads in PostgreSQL's log."""

from load.bench.timed import Log, statements

LINES = """\
2026-01-01 00:00:00.000 UTC [7] LOG:  duration: 0.100 ms  parse _pg3_0: select 1
2026-01-01 00:00:00.000 UTC [7] LOG:  duration: 0.200 ms  bind _pg3_0: select 1
2026-01-01 00:00:00.000 UTC [7] LOG:  duration: 1.500 ms  execute _pg3_0:
\tselect id
\tfrom notify.claim($1)
2026-01-01 00:00:00.000 UTC [8] LOG:  duration: 0.300 ms  statement: begin
2026-01-01 00:00:00.000 UTC [8] LOG:  some other line
"""


def test_a_statement_is_one_whatever_lines_it_has():
    read = [(statement.took_ms, statement.text) for statement in statements(LINES)]
    assert read == [(1.5, "select id from notify.claim($1)"), (0.3, "begin")]


def test_each_look_at_the_log_reads_what_came_since_the_last(tmp_path):
    file = tmp_path / "postgres.log"
    file.write_text(LINES)
    log = Log(file)
    assert log.since() == []
    with file.open("a") as appended:
        appended.write(LINES + "half a li")
    assert len(log.since()) == 2
    assert log.since() == []
    with file.open("a") as appended:
        appended.write("ne\n" + LINES)
    assert len(log.since()) == 2
