"""A newcomer's platform on one machine: demo log-ins, readable mails, no secrets to set."""

from config.logs import logging_config
from config.settings.base import *  # noqa: F403
from config.settings.base import DATA_DIR, LOG_LEVEL, SECRET_KEY, env

DEVELOPMENT = True
DEBUG = env.bool("DEBUG", False)
SECRET_KEY = SECRET_KEY or f"development-only-{DATA_DIR}"
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
EMAIL_BACKEND = env.str("EMAIL_BACKEND", "accounts.mail.DevelopmentBackend")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
LOGGING = logging_config(level=LOG_LEVEL, for_people=True)
WHITENOISE_USE_FINDERS = True
# Files are found where they lie; nothing is collected.
STATIC_ROOT = None
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = True
