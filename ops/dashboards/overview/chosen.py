"""What is chosen at the top of the page, as Prometheus is asked for it."""

CHOSEN = '{channel=~"$channel"}'
CHANNEL_AND_PRIORITY = 'channel=~"$channel", priority=~"$priority"'
