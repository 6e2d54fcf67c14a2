"""Which settings SQL must know of: the small table notify.settings (sql/keep_settings.sql)."""

from service.config.settings import Settings

KEEP_SETTINGS = "select notify.keep_settings(%s, %s, %s)"


def kept(settings: Settings) -> list[object]:
    """Give the arguments of keep_settings(): environment, hours of a key, days of a payload."""
    return [settings.environment, None, None]
