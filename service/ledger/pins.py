"""What our sessions set for themselves, whatever a database, a role, a URL or the environment says.

A direct session sets it once. A pooler shares its sessions with others and gives each transaction
whichever is free: there it is set anew for each transaction, and is gone with it.
"""

# One value that all of our code expects. What a server does not know (transaction_timeout came with
# 17) is left alone. Not among them: default_transaction_read_only, which managed servers set when
# a disk is full, and costs and memory, which belong to the machine.
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
    "row_security": "off",  # what we may not see is an error, and no empty result
    "session_replication_role": "origin",  # else no trigger fires: only a superuser changes it
    "exit_on_error": "off",
    # How long it may take; statement_timeout is each role's own.
    "lock_timeout": "0",
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "1min",
    "idle_session_timeout": "0",
    # How it is planned: what is short gains nothing from JIT (seconds, over hundreds of days).
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
# defaults; both ends look every 20 s instead. Behind a pooler this is the pooler's affair.
KEPT_ALIVE = {
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "15000",
}

# pg_catalog first, so that nobody else's words hide it; else the path stays: triggers of strangers
# that wait for the commit look there. Where commits need not reach the disk, ours do: what was
# accepted may not be lost with the server's memory.
DERIVED = """
  ('search_path', pg_catalog.concat_ws(', ', 'pg_catalog',
    pg_catalog.substring(pg_catalog.current_setting('search_path'), '.+'))),
  ('synchronous_commit', case when pg_catalog.current_setting('synchronous_commit')
    operator(pg_catalog.=) 'off' then 'local' end)"""

# Only what differs is set: nobody may set session_replication_role, not even to what it is.
PINNING = """
select pg_catalog.pg_backend_pid(), pg_catalog.current_setting('transaction_isolation'), (
  select pg_catalog.count(pg_catalog.set_config(pin.name, pin.value, {is_local}))
  from (values {values},{derived}) as pin(name, value)
  where pg_catalog.current_setting(pin.name, true) operator(pg_catalog.<>) pin.value
)"""

# Takes less time than any query, for somebody may have set a limit. Its values are none of ours:
# what is so already would not be set, and be gone with the transaction.
BEGIN = """begin; set local statement_timeout = '1h';
set local idle_in_transaction_session_timeout = '1h'"""

# Lasts for the transaction, as each begins with the default. No query may come before it, and of
# SET LOCAL without a BEGIN, PostgreSQL warns.
ISOLATION = "set transaction_isolation = 'read committed'"


def session_pins(statement_timeout_s: float, pid: int) -> tuple[str, str, str]:
    """Give the first statements of a connection; the second tells (process id, isolation, …).

    `pid` is what we were told at the login: a pooler tells another, and then nothing is pinned but
    this transaction.
    """
    pins = {**PINS, **KEPT_ALIVE, "statement_timeout": milliseconds(statement_timeout_s)}
    is_local = f"pg_catalog.pg_backend_pid() operator(pg_catalog.<>) {pid}"
    return BEGIN, pinning(pins, is_local), "commit"


def transaction_pins(statement_timeout_s: float, isolation: str) -> list[str]:
    """Give what goes before a statement of ours, in its transaction, where sessions are shared.

    `isolation` is what their transactions begin with.
    """
    pins = {**PINS, "statement_timeout": milliseconds(statement_timeout_s)}
    first = [] if isolation == "read committed" else [ISOLATION]
    return [*first, pinning(pins, "true")]


def pinning(pins: dict[str, str], is_local: str) -> str:
    """Write the query that sets what differs."""
    values = ", ".join(f"('{name}', '{value}')" for name, value in pins.items())
    return PINNING.format(values=values, derived=DERIVED, is_local=is_local)


def milliseconds(seconds: float) -> str:
    """Spell a time as PostgreSQL does."""
    return f"{int(seconds * 1000)}ms" if seconds else "0"
