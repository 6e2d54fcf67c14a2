"""A catcher of webhooks and mails, for trying out."""
