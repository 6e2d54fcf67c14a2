"""notify.ipv4_spelled(): numbers are the address that workers take them for."""

from itertools import product

from service.names.origin import name_or_ipv4

HOSTS = [
    "127.1", "0x7f.1", "0177.0.0.1", "2130706433", "0x7F000001", "127.0.1", "017700000001",
    "256.1.1.1", "1.2.3.4.5", "1.2.3.256", "4294967296", "4294967295", "0x", "0", "08.1", "1..2",
    "1.256", "1.16777216", "1.16777215", "0xg", "1e3", "127.0.0.1.", "0x100000000", "0000000000001",
    "0o17.1", "0x0x7f.1", "00x7f.1", "0b1", "1_0.1", "0_1", "0x_1", "_1.1",
]  # fmt: skip
PARTS = [
    "", "0", "1", "00", "010", "08", "0b1", "0o1", "0o17", "0x", "0xa", "0x0x1", "00x1", "0x0o1",
    "0x_a", "1_0", "0_1", "_1", "1_", "-1", "1-", "1e1", "a", "255", "256", "0400", "0x100",
    "65536", "16777216",
]  # fmt: skip


def test_numbers_are_the_address_that_workers_take_them_for(shared_db):
    query = "select h, notify.ipv4_spelled(h) as got from unnest(%s::text[]) as h"
    hosts = [host.lower().removesuffix(".") for host in HOSTS]
    assert {r.h: r.got for r in shared_db.execute(query, [hosts])} == {
        host: name_or_ipv4(host) for host in hosts
    }


def test_any_parts_make_the_address_that_workers_take_them_for(shared_db):
    hosts = [".".join(parts) for size in (1, 2, 3) for parts in product(PARTS, repeat=size)]
    hosts += [f"1.{host}.2" for host in hosts[: len(PARTS) * (1 + len(PARTS))]]
    query = "select h, notify.ipv4_spelled(h) as got from unnest(%s::text[]) as h"
    # Of two dots at the end, workers take off one.
    differ = [r for r in shared_db.execute(query, [hosts]) if r.got != name_or_ipv4(f"{r.h}.")]
    assert not differ
