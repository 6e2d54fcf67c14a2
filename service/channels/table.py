"""All channels: what POST /notify and /openapi.json go by."""

from collections.abc import Mapping

from service.channels.declaration import Declaration
from service.channels.email import EMAIL
from service.channels.log import LOG
from service.channels.webhook import WEBHOOK
from service.model.words import Channel

CHANNELS: Mapping[Channel, Declaration] = {
    Channel.WEBHOOK: WEBHOOK,
    Channel.EMAIL: EMAIL,
    Channel.LOG: LOG,
}
