"""Django's mail as notifications, in Django's own transaction.

EMAIL_BACKEND       "notification_client.django.EmailBackend"
INSTALLED_APPS      "notification_client.django", for `manage.py check_notify`
NOTIFY_DATABASE     the alias of the database that has schema notify; "default" if left out
NOTIFY_FROM_EMAILS  senders that may be given up for the service's MAIL_FROM, besides
                    DEFAULT_FROM_EMAIL and SERVER_EMAIL
"""

from notification_client.django.backend import EmailBackend
from notification_client.django.mail import NotCarried

__all__ = ["EmailBackend", "NotCarried"]
