"""The channels, by the name that a notification gives."""

import time
from collections.abc import Callable

from service.config.settings import Settings
from service.model import Channel as Name
from workers.channels.channel import Channel
from workers.channels.email import EmailChannel
from workers.channels.log import LogChannel
from workers.channels.webhook import WebhookChannel


def channels(settings: Settings, now: Callable[[], float] = time.time) -> dict[str, Channel]:
    """Return how each channel is delivered. `now` gives the time, in seconds since 1970.

    Raises ConfigError for a value that is no webhook secret.
    """
    return {
        Name.WEBHOOK: WebhookChannel(settings, now),
        Name.EMAIL: EmailChannel(settings, now),
        Name.LOG: LogChannel(),
    }
