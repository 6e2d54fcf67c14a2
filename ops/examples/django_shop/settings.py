"""A Django project whose mails and webhooks are sent by the service.

pip install django 'psycopg[binary]' ./service/client
export DATABASE_URL=postgresql://… DJANGO_SETTINGS_MODULE=settings
"""

import os
from urllib.parse import urlsplit

at = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": at.path[1:],
        "USER": at.username,
        "PASSWORD": at.password,
        "HOST": at.hostname,
        "PORT": at.port,
    }
}
INSTALLED_APPS = ["notification_client.django", "shop"]
EMAIL_BACKEND = "notification_client.django.EmailBackend"
DEFAULT_FROM_EMAIL = "shop@example.org"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
