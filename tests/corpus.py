"""Examples of what may be sent where: one list, with which the edge, SQL and workers are tested.

`code`: what POST /notify answers; None: it accepts. `rule`: the constraint that an INSERT breaks;
None: SQL accepts it. SQL cannot check an example with a code and without a rule: such a row fails
for good at its first attempt, with that code.
"""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One notification, and what the API and SQL answer to it."""

    channel: str
    recipient: str
    payload: Any = field(default_factory=dict)
    code: str | None = None
    rule: str | None = None

    @property
    def body(self) -> bytes:
        """Return it as the body of POST /notify."""
        return json.dumps(
            {"channel": self.channel, "recipient": self.recipient, "payload": self.payload}
        ).encode()

    def __str__(self) -> str:
        return ascii(f"{self.channel} {self.recipient} {json.dumps(self.payload)}")[:80]


def urls(code: str | None, rule: str | None, *recipients: str) -> list[Example]:
    return [Example(channel="webhook", recipient=r, code=code, rule=rule) for r in recipients]


def addresses(code: str | None, rule: str | None, *recipients: str) -> list[Example]:
    return [
        Example(channel="email", recipient=r, payload=LETTER, code=code, rule=rule)
        for r in recipients
    ]


def letters(code: str | None, rule: str | None, *payloads: Any) -> list[Example]:
    return [
        Example(channel="email", recipient="a@b.example", payload=p, code=code, rule=rule)
        for p in payloads
    ]


def headed(**headers: Any) -> dict[str, Any]:
    return LETTER | {"headers": {name.replace("_", "-"): value for name, value in headers.items()}}


LETTER = {"subject": "s", "text": "t"}
X63, X64 = "x" * 63, "x" * 64

OK = [
    *urls(
        None,
        None,
        "http://a",
        "HTTPS://user:p%20w@A_b-c.example:08443/b?c=d#e",
        "http://a.example?x",
        "http://a.example#x",
        "http://1.2.3.4:1/",
        "http://a:65535",
        "http://a:00001/[]{}|^`<>\"'",
        "http://[2606::1]:3080/",
        "http://[2606:2:3:4:5:6:7:8]/",
        "http://[2A00:DB8::1]/",
        "http://[::ffff:8.8.8.8]/",
        "http://a/[::zz]",
        "http://a/" + "b" * 2039,
        f"http://{X63}.{X63}.:1",
        "http://a.b./",
        "http://1.2.3.4./",
        f"http://{X64}:{X64}@a/{X64}",
        f"http://a?{X64}",
        f"http://{X64}..@{X63}?..{X64}%00",
        "http://%0a%0D%ff%%0:p%2500@a/%00",
    ),
    *addresses(
        None,
        None,
        "a@b",
        "ops@localhost",
        "a.b+c_d-@e-f.example",
        "-@b.example",
        "o'neil!#$%&*/=^`{|}~@b.example",
        "a@xn--bcher-kva.example",
        "a@b\u00fccher.example",
        "a@fa\u00df.de",
        "\u7528\u6237@\u4f8b\u5b50.example",
        "a\u2013b@b.example",
        X64 + "@b.example",
        f"a@{X63}.example",
    ),
    *letters(
        None,
        None,
        LETTER,
        {"subject": "", "html": "<p>"},
        {"subject": "\t=?utf-8?q?x?= \u00fc", "text": "", "html": None},
        LETTER | {"reply_to": None, "headers": None},
        LETTER | {"reply_to": "c@b\u00fccher.example", "headers": {}},
        LETTER | {"subject": "x" * 998},
        headed(X_A="b", List_Unsubscribe="<https://a.example/u>", keywords="\u00fc\tv"),
        headed(X_A="\u00fc", List_Unsubscribe="<mailto:u@a.example?subject=\u00fc>"),
        headed(References="<a@x>\t<b@y>  <c@z> ", Precedence="\x7e", List_X_A="a"),
        LETTER | {"headers": {f"X-{n}": "v" * 998 for n in range(50)}},
    ),
    Example(channel="log", recipient="\u00dcn\u00efcode \u2713", payload=None),
    Example(channel="log", recipient="r" * 2048, payload=[1, {"a": None}]),
]

REFUSED = [
    *urls(
        "address_not_allowed",
        None,
        "http://0/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0xa9fea9fe/",
        "http://u:p@192.0.2.1.:1/",
        "http://[::]",
        "http://[1:2:3:4:5:6:7:8]/",
        "http://[2001:DB8::1]/",
        "http://[::ffff:192.0.2.1]/",
        "http://[64:ff9b::a00:1]/",
        "http://" + "a." * 1020 + "a",  # no name is so long, so the guard reads none
    ),
    *urls(
        "invalid_recipient",
        "webhook_recipient_is_a_url",
        "a.example",
        "//a.example/",
        "http:a.example",
        "http:/a.example",
        "http://",
        "http:///x",
        "http://?x",
        "http://@/",
        "ftp://a.example/",
        "https:https://a.example/",
        "http://a.example/b c",
        " http://a.example/",
        "http://a.example/ ",
        "http://b\u00fccher.example",
        "http://a.example/\u00fc",
        "http\u017f://a.example",
        "http://a\\b.example",
        "http://a.example/\\b",
        "http://a@b@c.example/",
        "http://a:",
        "http://a:0",
        "http://a:00000",
        "http://a:65536",
        "http://a:99999",
        "http://a:000001",
        "http://a:1x/",
        "http://a:1:2/",
        "http://a,b/",
        "http://a*b/",
        "http://[::1",
        "http://[::1]x/",
        "http://[::1::]",
        "http://[1:2:3:4:5:6:7:8:9]/",
        "http://[1:2:3:4:5:6:7]/",
        "http://[12345::]/",
        "http://[::ffff:192.0.2.256]/",
        "http://[::1]@a/",
        "http://[1.2.3.4]/",
        "http://[]/",
        # What no resolver looks up.
        "http://.",
        "http://./",
        "http://.a",
        "http://a..",
        "http://a.b..:1/",
        "http://a..b/",
        "http://a..b?c",
        "http://u:p@a..b/",
        "http://u@.:1",
        f"http://{X64}",
        f"http://a.{X64}.b/",
        f"http://a.b.{X64}./",
        f"http://{X64}:1#x",
        f"http://u:p@a.{X64}:1/",
        f"http://{X64}:{X64}@{X64}?x",
        "http://" + "a" * 2041,
        # What libcurl does not take for a user or a password.
        "http://u%00:p@a/",
        "http://%00@a",
        "http://u:p%00@a?x",
        "http://u:%00p@[2606::1]:1/",
    ),
    *urls(
        "invalid_recipient",
        "recipient_is_1_to_2048_printable_characters",
        "http://a.example/\n",
        "http://a.example/\x7f",
        "http://a.example/\u2028",
        "http://" + "a" * 2042,
        "",
    ),
    *addresses(
        "invalid_recipient",
        "email_recipient_is_one_mailbox",
        "nobody",
        "@",
        "a@",
        "@b.example",
        "a@b@c.example",
        "a b@c.example",
        "a@b.example ",
        "a@b.example, c@d.example",
        "A <a@b.example>",
        "<a@b.example>",
        '"a"@b.example',
        "a(c)@b.example",
        "a\\b@c.example",
        "a:b@c.example",
        ".a@b.example",
        "a.@b.example",
        "a..b@c.example",
        "=?utf-8?q?a?=@b.example",
        "ada@exa_mple",
        "a@b..example",
        "a@.b.example",
        "a@b.example.",
        "a@-b.example",
        "a@b-.example",
        "a@b.-example",
        "a@b.example-",
        "a@b!.example",
        "a@[127.0.0.1]",
        "a@[IPv6:::1]",
        "a@ab--c.example",
        f"a@{X64}.example",
        "a@b.invalid",
        "a@b.ARPA",
        "a@c.onion",
        "x" * 245 + "@b.example",
        "\u00fc" * 123 + "@b.example",
        "a\u00a0b@c.example",
        "a@b\u3000c.example",
    ),
    *addresses(
        "invalid_recipient",
        "recipient_is_1_to_2048_printable_characters",
        "a@b.example\n",
        "a\x85@b.example",
        "a" * 3000 + "@b.example",
    ),
    # SQL knows neither IDNA nor the categories of Unicode.
    *addresses(
        "invalid_recipient",
        None,
        "a@xn--a.example",
        "a@\u2603.example",
        "a@\u00fc\u2024b.example",
        "\u0301a@b.example",
    ),
    *letters(
        "invalid_payload",
        "email_payload_has_subject_and_body",
        {"subject": "s"},
        {"subject": "s", "text": None, "html": None},
    ),
    *letters("missing_field", "email_payload_has_subject_and_body", {}, {"text": "t"}),
    *letters("invalid_payload", "email_payload_has_subject_and_body", [], None, "s", 1),
    *letters(
        "invalid_payload",
        "email_payload_has_subject_and_body",
        {"subject": 1, "text": "t"},
        {"subject": None, "text": "t"},
    ),
    *letters(
        "unknown_field",
        "email_payload_has_known_members_only",
        LETTER | {"cc": "x@y.example"},
        LETTER | {"bcc": ["x@y.example"]},
        LETTER | {"Text": "t"},
        LETTER | {"": "t"},
    ),
    *letters(
        "invalid_payload",
        "email_payload_members_have_their_types",
        LETTER | {"html": 1},
        {"subject": "s", "html": "t", "text": ["t"]},
        LETTER | {"reply_to": ["a@b.example"]},
        LETTER | {"headers": []},
        LETTER | {"headers": "X-A: b"},
    ),
    *letters(
        "invalid_payload",
        "email_subject_is_one_line",
        LETTER | {"subject": "a\r\nBcc: x@y.example"},
        LETTER | {"subject": "a\x0b"},
        LETTER | {"subject": "a\u2029"},
        LETTER | {"subject": "x" * 999},
    ),
    *letters(
        "invalid_payload",
        "email_reply_to_is_one_mailbox",
        LETTER | {"reply_to": ""},
        LETTER | {"reply_to": "nobody"},
        LETTER | {"reply_to": "A <a@b.example>"},
        LETTER | {"reply_to": "a@exa_mple"},
        LETTER | {"reply_to": "a\n@b.example"},
        LETTER | {"reply_to": "a" + "\u0301\u0316" * 20_000 + "@x.example"},
    ),
    *letters(
        "invalid_payload",
        "email_headers_may_be_set",
        headed(Bcc="x@y.example"),
        headed(Subject="s"),
        headed(X_A="b\r\nBcc: x@y.example"),
        headed(X_A="\x01"),
        headed(X_A="x" * 999),
        headed(X_A=1),
        headed(X_A=None),
        headed(X_A="1", x_a="2"),
        {**LETTER, "headers": {"": "v"}},
        {**LETTER, "headers": {"X-": "v"}},
        {**LETTER, "headers": {"X-A: b": "v"}},
        {**LETTER, "headers": {"X-\u00fc": "v"}},
        {**LETTER, "headers": {"\u212aeywords": "v"}},
        {**LETTER, "headers": {"X-" + "a" * 75: "v"}},
        {**LETTER, "headers": {f"X-{n}": "v" for n in range(51)}},
    ),
    Example(
        channel="log",
        recipient="a\nb",
        code="invalid_recipient",
        rule="recipient_is_1_to_2048_printable_characters",
    ),
    Example(
        channel="log",
        recipient="a\u2028b",
        code="invalid_recipient",
        rule="recipient_is_1_to_2048_printable_characters",
    ),
    Example(channel="fax", recipient="r", code="invalid_channel", rule="channel_is_known"),
]
