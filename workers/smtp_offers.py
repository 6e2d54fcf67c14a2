"""Whether the SMTP server offers SMTPUTF8 (RFC 6531), read from its replies. Pure.

libcurl asks for it when it is offered, and sends the address as it is when it is not.
"""


class SmtpOffers:
    """One connection after the other: what the server said after its latest greeting."""

    def __init__(self) -> None:
        self.utf8: bool | None = None  # None: it has not said yet
        self._keywords: set[str] = set()

    def hear(self, line: bytes) -> bool:
        """Take one line of a reply. True: it is to be known by now, and the mail may follow."""
        code, last = line[:3], line[3:4] != b"-"
        words = line[4:260].decode("ascii", "replace").split()
        self._keywords.update(word.upper() for word in words[:1])
        if not last:
            return False
        keywords, self._keywords = self._keywords, set()
        if code == b"220":  # a greeting, or TLS begins and all is asked again
            self.utf8 = None
            return False
        if self.utf8 is None and code == b"250":  # to EHLO, or to HELO, which offers nothing
            self.utf8 = "SMTPUTF8" in keywords
            return "STARTTLS" not in keywords
        # To MAIL: taken, or refused because of its parameter or its address.
        return self.utf8 is not None and code in (b"250", b"500", b"501", b"553", b"555")
