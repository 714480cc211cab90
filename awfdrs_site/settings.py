"""Django settings. What an operator may change comes from `env.py`; the rest is fixed here."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import environ
from django.templatetags.static import static

from awfdrs_site import env as environment

BASE_DIR = Path(__file__).resolve().parent.parent
if (BASE_DIR / ".env").exists():
    environ.Env.read_env(BASE_DIR / ".env")
ENV, ENV_MISTAKES = environment.read(os.environ)

# With a mistake in the environment nothing is served (checks.py, require_valid_environment);
# the stand-ins below only let the checks themselves run and say what is wrong.
SECRET_KEY = ENV.secret_key or "refused-by-check-awfdrs.E003" + "-" * 40
DEBUG = ENV.debug
ALLOWED_HOSTS = list(ENV.allowed_hosts)
CSRF_TRUSTED_ORIGINS = list(ENV.csrf_trusted_origins)
DEMO = ENV.demo
AI_MODE = ENV.ai_mode
RETRY_ALLOWED_HOSTS = ENV.retry_allowed_hosts
CHANNEL_ALLOWED_HOSTS = ENV.channel_allowed_hosts
SEAL_KEYS = ENV.seal_keys

INSTALLED_APPS = [
    "daphne",
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "channels",
    "awfdrs_site",
    "awfdrs_site.kernel",
    "tenants",
    "safety",
    "ingestion",
    "incidents",
    "ai",
    "actions",
]

MIDDLEWARE = [
    "awfdrs_site.kernel.correlation.correlation_middleware",
    "awfdrs_site.kernel.body.body_limit_middleware",
    "django.middleware.security.SecurityMiddleware",
    "awfdrs_site.kernel.csp.csp_middleware",
    # Breaks BREACH by random padding.
    "django.middleware.gzip.GZipMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "tenants.middleware.current_tenant_middleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "awfdrs_site.urls"
ASGI_APPLICATION = "awfdrs_site.asgi.application"
WSGI_APPLICATION = "awfdrs_site.wsgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "awfdrs_site.shell.shell_context",
            ],
        },
    }
]

# Under ASGI a connection per thread that outlives its request is never given back; a pool is.
DATABASES = {"default": environ.Env.db_url_config(ENV.database_url or "postgresql:///unset")}
DATABASES["default"] |= {
    "ENGINE": "django.db.backends.postgresql",
    "CONN_MAX_AGE": 0,
    # A pooled connection is checked before it is lent: after a restart of PostgreSQL none is dead.
    "CONN_HEALTH_CHECKS": True,
    "OPTIONS": {
        **DATABASES["default"].get("OPTIONS", {}),
        "pool": {"min_size": 0, "max_size": ENV.db_pool_max, "timeout": 10},
        "options": "-c statement_timeout=30s -c lock_timeout=10s "
        "-c idle_in_transaction_session_timeout=30s",
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = ENV.redis_url or "redis://unset.invalid:1/0"
# A hung Redis must cost a request or a commit at most this long (seconds).
REDIS_TIMEOUT_SECONDS = 0.5
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "awfdrs",
        "OPTIONS": {
            "socket_timeout": REDIS_TIMEOUT_SECONDS,
            "socket_connect_timeout": REDIS_TIMEOUT_SECONDS,
        },
    }
}
_BROKER = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_BROKER_URL = _BROKER
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_STORE_EAGER_RESULT = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # A ring that is lost costs a second, until the sweep. Kept in Redis until acknowledged, four
    # that could not be, for Redis hung, were taken for under way and stopped a worker for good.
    "ack_emulation": False,
    "socket_timeout": REDIS_TIMEOUT_SECONDS,
    "socket_connect_timeout": REDIS_TIMEOUT_SECONDS,
    "global_keyprefix": "awfdrs:",
}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# Ten wrong passwords for one name from one address close the door for 15 minutes.
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "tenants.views.locked_out"
AXES_ENABLE_ACCESS_FAILURE_LOG = False
AXES_VERBOSE = False
AXES_DISABLE_ACCESS_LOG = True
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = ENV.https
SESSION_COOKIE_HTTPONLY = True
SECURE_HSTS_SECONDS = 31_536_000 if ENV.https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = ENV.https
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENV.https else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "awfdrs_site.errors.csrf_failure"

# Bodies are bounded in front (kernel/body.py); Django's own limit is only the last wall.
DATA_UPLOAD_MAX_MEMORY_SIZE = 11 * 1024 * 1024

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "tenants.authentication.ApiKeyAuthentication",
        "tenants.authentication.TokenAuthentication",
        "tenants.authentication.BrowserAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["tenants.permissions.Scoped"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["awfdrs_site.kernel.strict_json.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "awfdrs_site.kernel.problem.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "AWFDRS API",
    "DESCRIPTION": "Failure events in, incidents, decisions and safe recoveries out.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "awfdrs_site.api_docs.document_problems",
    ],
    # Fields of one name and several meanings.
    "ENUM_NAME_OVERRIDES": {
        "ActionKind": "actions.models.ActionKind",
        "ActionStatus": "actions.states.ActionStatus",
        "BreakerState": "safety.models.BreakerState",
        "EventKind": "safety.models.EventKind",
        "IncidentStatus": "incidents.states.IncidentStatus",
        "RecoveryState": "actions.plans.states.RecoveryState",
        "StepState": "actions.plans.progress.STATES",
    },
}

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
USE_I18N = False

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "awfdrs_site.assets.PlotlyFinder",
]
# Served from the finders, so that a fresh clone needs no collectstatic.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
warnings.filterwarnings("ignore", message="No directory at: .*staticfiles")

UNFOLD = {
    "SITE_TITLE": "AWFDRS",
    "SITE_HEADER": "AWFDRS administration",
    "SITE_SUBHEADER": "Tenants, vendors and rules",
    "SHOW_BACK_BUTTON": True,
    # Blue, as on the pages: violet is what the machine said.
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 254.6)",
            "100": "oklch(93.2% .032 255.6)",
            "200": "oklch(88.2% .059 254.1)",
            "300": "oklch(80.9% .105 251.8)",
            "400": "oklch(70.7% .165 254.6)",
            "500": "oklch(62.3% .214 259.8)",
            "600": "oklch(54.6% .245 262.9)",
            "700": "oklch(48.8% .243 264.4)",
            "800": "oklch(42.4% .199 265.6)",
            "900": "oklch(37.9% .146 265.5)",
            "950": "oklch(28.2% .091 267.9)",
        }
    },
    "DASHBOARD_CALLBACK": "awfdrs_site.backoffice.dashboard",
    "STYLES": [
        lambda request: static("css/tokens.css"),
        lambda request: static("css/admin.css"),
    ],
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("img/mark.svg")}
    ],
}

LOGGING_CONFIG = "awfdrs_site.kernel.logs.configure"
LOGGING = {"level": ENV.log_level}
SILENCED_SYSTEM_CHECKS: list[str] = []
