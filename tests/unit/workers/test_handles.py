"""What answers say of the host that they came from."""

import pytest

from service.config.settings import Settings
from workers.channels.channel import Answer
from workers.http_handle import HttpHandle
from workers.smtp_handle import SmtpHandle


@pytest.mark.parametrize("kind", [HttpHandle, SmtpHandle])
def test_an_answer_below_400_without_an_error_blames_no_host(kind):
    """Transfers ask for none of these."""
    handle = kind(Settings(smtp_url="smtp://127.0.0.1:1"))
    failed = [n for n in range(400) if handle.has_failed(Answer(status=n))]
    handle.give_up()
    assert failed == []
