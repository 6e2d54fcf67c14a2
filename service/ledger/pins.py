"""What our sessions set for themselves, whatever a database, a role, a URL or the environment says.

A direct session sets it once. A pooler shares its sessions, and gives each transaction one that is
free: there our settings are made anew in each transaction, and end with it.
"""

# All of our code expects these values. A setting that a server does not know (transaction_timeout
# came with 17) is left alone. Not pinned: default_transaction_read_only, which managed servers set
# when a disk is full; costs and memory, which depend on the machine.
PINS = {
    # How a value is written, both ways.
    "client_encoding": "UTF8",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "timezone_abbreviations": "Default",
    "bytea_output": "hex",
    "array_nulls": "on",
    "extra_float_digits": "1",
    "quote_all_identifiers": "off",
    # What a statement means.
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
    "plpgsql.extra_errors": "none",
    "plpgsql.check_asserts": "on",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "default_table_access_method": "heap",
    "row_security": "off",  # rows that we may not see are an error, not an empty result
    "session_replication_role": "origin",  # else no trigger fires; only a superuser can change it
    "exit_on_error": "off",
    # How long it may take; statement_timeout is each role's own.
    "lock_timeout": "0",
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "1min",
    "idle_session_timeout": "0",
    # How it is planned. JIT gains nothing for short statements, and costs seconds over many days.
    "jit": "off",
    "plan_cache_mode": "auto",
    "constraint_exclusion": "partition",
    "enable_partition_pruning": "on",
    "enable_bitmapscan": "on",
    "enable_hashagg": "on",
    "enable_hashjoin": "on",
    "enable_indexonlyscan": "on",
    "enable_indexscan": "on",
    "enable_material": "on",
    "enable_mergejoin": "on",
    "enable_nestloop": "on",
    "enable_seqscan": "on",
    "enable_sort": "on",
}

# A host that vanishes without a FIN would hold its session locks for two hours with the kernel's
# defaults, so both ends look after 20 s. Behind a pooler, the pooler must do this.
KEPT_ALIVE = {
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "15000",
}

# pg_catalog comes first, so that nothing of others hides its names. The rest of the path stays, as
# others' deferred triggers need it at the commit. Where a commit need not wait for the disk, ours
# does: what was accepted may not be lost with the server's memory.
DERIVED = """
  ('search_path', pg_catalog.concat_ws(', ', 'pg_catalog',
    pg_catalog.substring(pg_catalog.current_setting('search_path'), '.+'))),
  ('synchronous_commit', case when pg_catalog.current_setting('synchronous_commit')
    operator(pg_catalog.=) 'off' then 'local' end)"""

# Only what differs is set: most roles may not set session_replication_role even to its own value.
PINNING = """
select pg_catalog.pg_backend_pid(), pg_catalog.current_setting('transaction_isolation'), (
  select pg_catalog.count(pg_catalog.set_config(pin.name, pin.value, {is_local}))
  from (values {values},{derived}) as pin(name, value)
  where pg_catalog.current_setting(pin.name, true) operator(pg_catalog.<>) pin.value
)"""

# It lifts the limits that somebody may have set, and takes less time than any query. Its values
# differ from ours on purpose: PINNING skips a value that is already set, and this one ends with the
# transaction.
BEGIN = """begin; set local statement_timeout = '1h';
set local idle_in_transaction_session_timeout = '1h'"""

# It lasts for one transaction, as each begins with the default. No query may come before it. SET
# LOCAL would do the same, but PostgreSQL warns of it without a BEGIN.
ISOLATION = "set transaction_isolation = 'read committed'"


def session_pins(statement_timeout_s: float, pid: int) -> tuple[str, str, str]:
    """Return the first statements of a connection; the second selects (process id, isolation, …).

    `pid` is the process id that the login named. A pooler names another one than the session has;
    then only this transaction is pinned.
    """
    pins = {**PINS, **KEPT_ALIVE, "statement_timeout": milliseconds(statement_timeout_s)}
    is_local = f"pg_catalog.pg_backend_pid() operator(pg_catalog.<>) {pid}"
    return BEGIN, pinning(pins, is_local), "commit"


def transaction_pins(statement_timeout_s: float, isolation: str) -> list[str]:
    """Return what goes before each of our statements, in its transaction, on a shared session.

    `isolation` is the isolation level that its transactions begin with.
    """
    pins = {**PINS, "statement_timeout": milliseconds(statement_timeout_s)}
    first = [] if isolation == "read committed" else [ISOLATION]
    return [*first, pinning(pins, "true")]


def pinning(pins: dict[str, str], is_local: str) -> str:
    """Write the query that sets what differs from our values."""
    values = ", ".join(f"('{name}', '{value}')" for name, value in pins.items())
    return PINNING.format(values=values, derived=DERIVED, is_local=is_local)


def milliseconds(seconds: float) -> str:
    """Write a time as PostgreSQL reads it; 0 means no limit."""
    return f"{int(seconds * 1000)}ms" if seconds else "0"
