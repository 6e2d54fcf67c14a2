"""Whether the SMTP server offers SMTPUTF8 (RFC 6531), read from its replies. Pure.

libcurl asks for it if it is offered; if it is not, libcurl sends the address all the same.
"""

REPLIES_TO_MAIL = (b"250", b"500", b"501", b"550", b"553", b"555")


class SmtpFeatures:
    """What the server has said since its latest greeting; a new connection begins anew."""

    def __init__(self) -> None:
        self.utf8: bool | None = None  # None: it has not said yet
        self._heard_utf8 = self._heard_tls = False

    def hear(self, line: bytes) -> bool:
        """Take one line of a reply. True: `utf8` is final, and RCPT may be next."""
        code, last, keyword = line[:3], line[3:4] != b"-", line[4:16].strip().upper()
        self._heard_utf8 |= keyword == b"SMTPUTF8"
        self._heard_tls |= keyword == b"STARTTLS"
        if not last:
            return False
        heard_utf8, heard_tls = self._heard_utf8, self._heard_tls
        self._heard_utf8 = self._heard_tls = False
        if code == b"220":  # a greeting, or TLS begins and all is asked again
            self.utf8 = None
        elif self.utf8 is not None:
            return code in REPLIES_TO_MAIL
        elif code == b"250":  # to EHLO, or to HELO, which offers nothing
            self.utf8 = heard_utf8
            return not heard_tls
        return False
