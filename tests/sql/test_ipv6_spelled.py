"""notify.ipv6_spelled(): addresses in the spelling that workers use."""

from itertools import product

from service.names.origin import ipv6

ADDRESSES = [
    "::", "::1", "1::", "0:0:0:0::0001", "2001:DB8::A", "2001:db8:0:0:1:0:0:1", "::1.2.3.4",
    "1:0:0:2:0:0:0:3", "::ffff:127.0.0.1", "::ffff:7f00:1", "fe80::1", "1:2:3:4:5:6:7:8", "1:2",
    "64:ff9b::1.2.3.4", "0:1:2:3:4:5:6:7", "1:2:3:4:5:6:7:0", "0:0:1:2:3:4:5:6", ":::", "1.2.3.4",
    "::ffff:0:0", "::fffe:1:2", "1:0:3:4:5:6:7:8", "12345::", "::ffff:1.2.3",
]  # fmt: skip


def test_addresses_are_compressed_as_workers_do(shared_db):
    query = "select h, notify.ipv6_spelled(h) as got from unnest(%s::text[]) as h"

    def ours(text):
        try:
            return ipv6(text)
        except ValueError:
            return None

    assert {r.h: r.got for r in shared_db.execute(query, [ADDRESSES])} == {
        text: ours(text) for text in ADDRESSES
    }


def test_any_run_of_zeros_is_compressed_as_workers_do(shared_db):
    texts = [":".join(groups) for groups in product("01", repeat=8)]
    query = "select h, notify.ipv6_spelled(h) as got from unnest(%s::text[]) as h"
    assert {r.h: r.got for r in shared_db.execute(query, [texts])} == {t: ipv6(t) for t in texts}
