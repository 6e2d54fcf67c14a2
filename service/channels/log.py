"""Channel `log`, in which the recipient and the payload may be anything.

recipient  1 to 2048 characters, no control characters
"""

from service.channels.declaration import Declaration
from service.channels.words import WORDS
from service.text.checks import CONTROL


def one_line(text: str) -> str:
    """Return `text` if it has no control characters. Raises ValueError, fit for the client."""
    if CONTROL.search(text):
        raise ValueError("Leave out control characters.")
    return text


LOG = Declaration(
    words=WORDS["log"],
    recipient=one_line,
    example={"recipient": "somebody", "payload": None},
)
