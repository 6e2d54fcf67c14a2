"""Spellings of addresses that no webhook may reach, as somebody would try them on the guard.

`{port}` stands for the port of a listener on this machine: not one connection must arrive there.
"""

# The edge reads each as an address, or as localhost, and says `address_not_allowed`.
FORBIDDEN = [
    f"http://{host}:{{port}}/"
    for host in (
        "127.0.0.1", "127.0.0.1.",
        "127.0.0.2", "127.255.255.254", "127.1", "127.0.1",
        "127.1.",
        "2130706433", "0x7f000001", "0X7F000001", "0x7f.1", "0x7f.0x0.0x0.0x1", "017700000001",
        "0177.0.0.1", "0177.1", "00000177.0.0.01", "0x7f.0.0.01", "127.0x1", "127.0.0x0.1",
        "127.000.000.001", "0x000000007f000001",
        "0", "0.0.0.0", "0x0", "00", "0.0", "localhost", "LOCALHOST", "LocalHost.", "a.localhost",
        "a.b.localhost.", "[::1]", "[0:0:0:0:0:0:0:1]", "[0000:0000::0001]", "[::0.0.0.1]", "[::]",
        "[::ffff:127.0.0.1]", "[::FFFF:7F00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]",
        "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]", "[2001:0:7f00:1::f7f7:f7f7]", "[2001::80ff:fffe]", "[fe80::1]",
        "[2600::5efe:127.0.0.1]", "[2600::200:5efe:7f00:1]", "[fd00:ec2::254]", "[ff02::1]",
        "169.254.169.254", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "10.0.0.1", "10.1",
        "192.168.0.1", "172.16.0.1", "100.64.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1",
        "user@127.0.0.1", "user:pass@localhost", "example.com:80@127.0.0.1", "%31@0x7f.1",
        "example.com%2F@127.0.0.1",
    )
] + [
    "HTTP://127.0.0.1:{port}/x?y#z", "http://127.0.0.1:0{port}/", "https://127.0.0.1:{port}/",
    "http://127.0.0.1:{port}?x", "http://127.0.0.1:{port}#@example.com/",
    "http://127.0.0.1:{port}/@example.com/",
]  # fmt: skip

# The edge takes none of these for a URL, and says `invalid_recipient`.
NO_URLS = [
    "http://%31%32%37.0.0.1:{port}/", "http://127%2e0.0.1:{port}/", "http://local%68ost:{port}/",
    "http://[::1%25lo]:{port}/", "http://[fe80::1%25eth0]:{port}/", "http://[::1%lo]:{port}/",
    "http://[::ffff:127.1]:{port}/", "http://[127.0.0.1]:{port}/", "http://[::1]x:{port}/",
    "http://\uff11\uff12\uff17.0.0.1:{port}/", "http://127\u30020\u30020\u30021:{port}/",
    "http://127\uff0e0\uff0e0\uff0e1:{port}/", "http://\u2460\u2461\u2466.0.0.1:{port}/",
    "http://loc\u017fhost:{port}/", "http://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3:{port}/",
    "http://example.com@@127.0.0.1:{port}/", "http://a@b@127.0.0.1:{port}/",
    "http://127.0.0.1\\@example.com:{port}/", "http://example.com\\@127.0.0.1:{port}/",
    "http://127.0.0.1 :{port}/", "http:\\\\127.0.0.1:{port}/", "http:127.0.0.1:{port}/",
    "//127.0.0.1:{port}/", "ftp://127.0.0.1:{port}/", "file:///etc/passwd", "gopher://127.0.0.1/",
    "http://127.0.0.1\t:{port}/", "http://\u202e127.0.0.1:{port}/", "http://\u00ad127.0.0.1:{port}/",
]  # fmt: skip

# The same, as no resolver looks up a name with nothing between two dots.
NO_NAMES = [
    "http://127.0.0.1..:{port}/", "http://127..1:{port}/", "http://localhost..:{port}/",
    "http://.:{port}/", "http://.localhost:{port}/",
]  # fmt: skip

# The edge reads these as names: where they lead is judged when they are connected.
NAMES = [
    f"http://{host}:{{port}}/"
    for host in (
        "0x7f.0.0.0.1", "127.0.0.1.0", "08.0.0.1", "0x7g.1", "4294967296",
        "127.0.0.256", "1.0x7f000001", "ip6-localhost", "ip6-loopback",
        "0127.0.0.1.0", "_localhost", "a.127.0.0.1", "0o177.1", "0x0x7f.1", "0_177.1", "0x7_f.1",
    )
]  # fmt: skip
