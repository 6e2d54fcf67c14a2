"""notify.ipv4_spelled(): numbers are the address that workers take them for."""

from service.names.origin import name_or_ipv4

HOSTS = [
    "127.1", "0x7f.1", "0177.0.0.1", "2130706433", "0x7F000001", "127.0.1", "017700000001",
    "256.1.1.1", "1.2.3.4.5", "1.2.3.256", "4294967296", "4294967295", "0x", "0", "08.1", "1..2",
    "1.256", "1.16777216", "1.16777215", "0xg", "1e3", "127.0.0.1.", "0x100000000", "0000000000001",
]  # fmt: skip


def test_numbers_are_the_address_that_workers_take_them_for(shared_db):
    query = "select h, notify.ipv4_spelled(h) as got from unnest(%s::text[]) as h"
    hosts = [host.lower().removesuffix(".") for host in HOSTS]
    assert {r.h: r.got for r in shared_db.execute(query, [hosts])} == {
        host: name_or_ipv4(host) for host in hosts
    }
