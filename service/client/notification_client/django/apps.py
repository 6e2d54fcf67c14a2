"""The app, for its management command. It has no models."""

from django.apps import AppConfig


class NotificationClient(AppConfig):  # type: ignore[misc]
    """Named after the distribution: an app called `django` would be taken for Django."""

    name = "notification_client.django"
    label = "notification_client"
    verbose_name = "Notifications"
