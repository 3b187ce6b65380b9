"""Settings that all environments share; what differs by place is read from the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import environ

from config import embedded
from config.logs import logging_config
from config.settings.operators import UNFOLD  # noqa: F401 - a setting

env = environ.Env()

ROOT = Path(__file__).resolve().parents[3]
DATA_DIR = Path(env.str("DATA_DIR", str(ROOT / ".data"))).expanduser().absolute()
PORT = env.int("PORT", 8000)
EA_PORT = env.int("EA_PORT", 9100)

SECRET_KEY = env.str("SECRET_KEY", "")
DEBUG = False
DEVELOPMENT = False
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=[])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
TRUSTED_PROXIES: list[str] = env.list("TRUSTED_PROXIES", default=[])

# --- stores ---------------------------------------------------------------------------------------
_urls = embedded.urls(DATA_DIR)
DATABASE_URL = env.str("DATABASE_URL", "") or _urls.database
REDIS_URL = env.str("REDIS_URL", "") or _urls.redis


def _database(url: str) -> dict[str, Any]:
    """Return a connection whose statements are prepared by the server: both options are needed for that."""
    config: dict[str, Any] = environ.Env.db_url_config(url)
    config["ENGINE"] = "kernel.postgres"
    config["ATOMIC_REQUESTS"] = False
    config["DISABLE_SERVER_SIDE_CURSORS"] = True
    config["CONN_HEALTH_CHECKS"] = True
    pool_size = env.int("DATABASE_POOL_SIZE", 0)
    # Under ASGI each request runs on a thread of its own: connections live in a pool there, on threads elsewhere.
    # A pool doubles its pauses while the server is away. Giving up early makes each request try anew instead: otherwise
    # it would stay away for about as long again.
    bounds = {"min_size": 1, "max_size": pool_size, "timeout": 5, "reconnect_timeout": 2}
    pool = {"pool": bounds} if pool_size else {}
    config["CONN_MAX_AGE"] = 0 if pool_size else None
    config["OPTIONS"] = {
        **config.get("OPTIONS", {}),
        **pool,
        "server_side_binding": True,
        "prepare_threshold": 2,
        "application_name": "fairstrike",
        "options": "-c lock_timeout=2000 -c statement_timeout=30000 -c idle_in_transaction_session_timeout=30000",
    }
    return config


DATABASES = {"default": _database(DATABASE_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "fairstrike",
        "OPTIONS": {
            "serializer": "kernel.cache.JSONSerializer",
            "socket_connect_timeout": 0.5,
            "socket_timeout": 0.5,
        },
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "fairstrike"},
    }
}

# --- applications ---------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    # Its pages are found with the addresses: runtimes without any start a fifth sooner.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.headless",
    "allauth.usersessions",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_vite",
    "channels",
    "kernel",
    "accounts",
    "realtime",
    "ledger",
    "quotes",
    "trading",
    "settlement",
    "ea",
]
MIDDLEWARE = [
    "kernel.http.RequestIdMiddleware",
    "accounts.middleware.LogInGuardMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "kernel.http.HotRouteMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.middleware.StaffSecondFactorMiddleware",
    "accounts.middleware.SessionSeenMiddleware",
    "kernel.http.ProblemMiddleware",
]
# Views of the addresses that programs call most, by method and path.
HOT_ROUTES = {("POST", "/api/v1/orders"): "trading.api.order_place_view"}
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "platform" / "config" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- people ---------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# Sessions live in the database with short copies in Redis, and go on when Redis is down.
SESSION_ENGINE = "accounts.sessions"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
LOGIN_URL = "/"
LOGIN_REDIRECT_URL = "/"
REQUIRE_STAFF_MFA = False
ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
ACCOUNT_SIGNUP_FORM_CLASS = "accounts.forms.SignUpForm"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT = 900
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED = True
ACCOUNT_PASSWORD_RESET_BY_CODE_TIMEOUT = 900
ACCOUNT_LOGIN_BY_CODE_ENABLED = False
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
# Who finds a browser open can neither move the account to another address nor set up a second factor.
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_MAX_EMAIL_ADDRESSES = 2
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = {"login": "20/m/ip", "login_failed": "10/m/ip,10/300s/key", "signup": "20/m/ip"}
HEADLESS_ONLY = True
HEADLESS_CLIENTS = ("browser",)
HEADLESS_SERVE_SPECIFICATION = False
HEADLESS_FRONTEND_URLS = {
    "account_confirm_email": "/",
    "account_reset_password": "/",
    "account_reset_password_from_key": "/",
    "account_signup": "/",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_PASSKEY_SIGNUP_ENABLED = False
MFA_TOTP_ISSUER = "Fairstrike"
# Recovery codes are seen when they are made, and never again.
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_ADAPTER = "accounts.adapters.SecondFactorAdapter"
USERSESSIONS_TRACK_ACTIVITY = True
TERMS_VERSION = "2026-01"
ALLAUTH_USER_CODE_FORMAT = {"numeric": True, "length": 6, "dashed": False}

# --- REST -----------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.CallerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.authentication.CallerRequired"],
    "DEFAULT_RENDERER_CLASSES": ["kernel.http.MsgspecRenderer"],
    "DEFAULT_PARSER_CLASSES": ["kernel.http.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "kernel.http.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Fairstrike API",
    "DESCRIPTION": "Orders, quotes, wallets and events of a Fairstrike platform.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "LedgerEnum": ["real", "demo", "tournament"],
        "ScopesEnum": "accounts.domain.SCOPES",
        "KeyScopesEnum": "ea.domain.SCOPES",
        "SignalStateEnum": "ea.signals_api.STATES",
        "TradingStateEnum": "ea.installations_api.TRADING_STATES",
    },
}
# Requests in a window, by group: (count, seconds, burst).
RATE_LIMITS = {
    "orders": (100, 1, 200),
    "writes": (10, 1, 20),
    "reads": (50, 1, 100),
    "ea": (50, 1, 200),
    # Alerts of one hook of TradingView.
    "ea_hook": (10, 1, 30),
    # Each counts up to 50,000 orders.
    "statistics": (2, 1, 10),
    "log_in": (10, 60, 10),
    "pairing": (10, 60, 10),
}
# How often a process writes down the orders that it refused; 0: never by itself.
REFUSALS_WRITTEN_EVERY_S = 1

# --- time and words -------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
USE_I18N = True
TIME_ZONE = "UTC"
USE_TZ = True

# --- files ----------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT: Path | None = DATA_DIR / "static"
TERMINAL_DIST = ROOT / "terminal" / "dist"
STATICFILES_DIRS = [("terminal", TERMINAL_DIST)] if TERMINAL_DIST.is_dir() else []
WHITENOISE_MIMETYPES = {".webmanifest": "application/manifest+json"}
DJANGO_VITE = {
    "default": {
        "dev_mode": False,
        "static_url_prefix": "terminal",
        "manifest_path": TERMINAL_DIST / "manifest.json",
    }
}

# --- mail -----------------------------------------------------------------------------------------
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Fairstrike <no-reply@localhost>")
if _email_url := env.str("EMAIL_URL", ""):
    vars().update(environ.Env.email_url_config(_email_url))

# --- security -------------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    },
    "EXCLUDE_URL_PREFIXES": ["/admin/", "/api/docs"],
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024

# --- workers --------------------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL if REDIS_URL.startswith("redis") else REDIS_URL.replace("unix://", "redis+socket://")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "settlement"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 60}

# --- logs and errors ------------------------------------------------------------------------------
LOG_LEVEL = env.str("LOG_LEVEL", "INFO")
LOGGING = logging_config(level=LOG_LEVEL, for_people=False)
SENTRY_DSN = env.str("SENTRY_DSN", "")
METRICS_TOKEN = env.str("METRICS_TOKEN", "")

# --- evidence -------------------------------------------------------------------------------------
_signing_key_file = env.str("SIGNING_KEY_FILE", "")
SIGNING_KEY_FILE: Path | None = Path(_signing_key_file).expanduser().absolute() if _signing_key_file else None
# Where the heads of seals are posted, so that somebody else holds them too; empty for nowhere.
HEADS_URL = env.str("HEADS_URL", "")

# --- trading --------------------------------------------------------------------------------------
SIMULATOR_SEED = env.int("SIMULATOR_SEED", 1)
DEMO_OPENING_MINOR = 1_000_000
# How long a client's looser limit waits before it can be confirmed.
LIMIT_LOOSEN_WAIT_S = 86_400
# Whether the real ledger takes symbols of generators, scripts and overridden endpoints that do not say so.
CUSTOM_FEEDS_ON_REAL = True
