"""Settings of the test suite: the development platform with cheap password hashes."""

from config.settings.dev import *  # noqa: F403

SECRET_KEY = "tests-only"  # noqa: S105
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "testserver"]
# A thread that writes beside a test would outlive it; tests write by themselves, or set this.
REFUSALS_WRITTEN_EVERY_S = 0
# Each test client loads the middleware anew, which would look through all static files; here each is looked for when it
# is asked for.
WHITENOISE_AUTOREFRESH = True
