"""The logs of a role, as the settings say."""

from loguru import logger

from service.config.odd_settings import odd_settings
from service.config.settings import Settings
from service.logs import logs


def start_logs(role: str, settings: Settings, *, is_child: bool = False) -> None:
    """Log as the settings say, and to Loki if they name one. It starts a thread: fork before it.

    `is_child`: the process that started this one has already logged what is odd about the settings.
    """
    from service.logs.loki import Loki
    from service.metrics import LogMetrics

    metrics = LogMetrics()
    push = Loki(settings.loki_url, metrics) if settings.loki_url else None
    logs.set_up(role, level=settings.log_level, style=settings.log_style, push=push, by_thread=True)
    for line in () if is_child else odd_settings(settings):
        logger.warning("setting_doubtful", hint=line)
