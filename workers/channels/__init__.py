"""The channels, by the name that a notification gives."""

from service.config import Settings
from service.model import Channel as Name
from workers.channels.channel import Channel
from workers.channels.email import EmailChannel
from workers.channels.log import LogChannel
from workers.channels.webhook import WebhookChannel


def channels(settings: Settings) -> dict[str, Channel]:
    """Return how each channel is delivered. Raises ConfigError for a secret that is none."""
    return {
        Name.WEBHOOK: WebhookChannel(settings),
        Name.EMAIL: EmailChannel(settings),
        Name.LOG: LogChannel(),
    }
