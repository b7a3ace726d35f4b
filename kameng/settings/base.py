"""Settings, read from the environment. Every name here that production must set is in `docs/operations.md`."""

import base64
import os
from decimal import Decimal
from pathlib import Path

import django_stubs_ext
import environ

from kameng.embedded import environment
from kameng.settings.api import REST_FRAMEWORK as REST_FRAMEWORK
from kameng.settings.api import SPECTACULAR_SETTINGS as SPECTACULAR_SETTINGS

# `ModelForm[Order]` and the like mean something to the type checker and nothing at run time.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parents[2]

environment.load(os.environ)
env = environ.Env()

ENVIRONMENT = env.str("KAMENG_ENV", default="development")
PRODUCTION = ENVIRONMENT == "production"
VAR_DIR = Path(env.str("KAMENG_VAR", default=str(BASE_DIR / "var")))

# --- secrets ---------------------------------------------------------------------------------------------------------
SECRET_KEY = env.str("SECRET_KEY")
#: Newest first: the first seals, all unseal. Base64 of 32 bytes each.
ENCRYPTION_KEYS = [key for key in env.str("ENCRYPTION_KEY").split(",") if key]
DIGEST_KEY = env.str("DIGEST_KEY")
if any(len(base64.b64decode(key)) != 32 for key in ENCRYPTION_KEYS) or not ENCRYPTION_KEYS:
    raise environ.ImproperlyConfigured(
        "ENCRYPTION_KEY must hold base64 keys of 32 bytes, comma-separated, newest first"
    )

DEBUG = False


def _listed(name: str, *, default: str) -> list[str]:
    """What stands between commas; one that is set and empty is as one that is not."""
    return [part.strip() for part in (env.str(name, default="") or default).split(",") if part.strip()]


# --- hosts -----------------------------------------------------------------------------------------------------------
#: Which host belongs to which shop is decided by `resellers.middleware`, from the Domain table.
ALLOWED_HOSTS = ["*"]
OPERATIONS_HOST = env.str("OPERATIONS_HOST", default="ops.localhost")
#: Below which new shops get their names: what is left of the operations host without its first label.
SHOPS_DOMAIN = (env.str("SHOPS_DOMAIN", default="") or OPERATIONS_HOST.partition(".")[2] or "localhost").lower()
PUBLIC_PORT = env.int("PUBLIC_PORT", default=env.int("PORT", default=8000))
PUBLIC_SCHEME = env.str("PUBLIC_SCHEME", default="https" if PRODUCTION else "http")
#: Where gateways and suppliers call us: any of our hosts will do.
WEBHOOK_BASE_URL = env.str(
    "WEBHOOK_BASE_URL",
    default=f"https://{OPERATIONS_HOST}" if PRODUCTION else f"http://localhost:{PUBLIC_PORT}",
)
#: Addresses and networks of the web servers before us, whose X-Forwarded-For is believed.
SANDBOX_URL = env.str("SANDBOX_URL", default=f"http://127.0.0.1:{env.int('SANDBOX_PORT', default=8900)}")
#: Where owners' own hosts have to lead: a name for CNAME records, and addresses for A and AAAA beside those that the
#: name has itself. Who is asked about them: resolvers as `address` or `address:port`, else the machine's.
DOMAIN_TARGET = env.str("DOMAIN_TARGET", default="") or (OPERATIONS_HOST if PRODUCTION else "shops.kameng.example")
DOMAIN_ADDRESSES = _listed("DOMAIN_ADDRESSES", default="" if PRODUCTION else "127.0.0.1")
DNS_RESOLVERS = _listed(
    "DNS_RESOLVERS", default="" if PRODUCTION else f"127.0.0.1:{env.int('SANDBOX_PORT', default=8900)}"
)
#: Words that no owner's own host may carry, or look like.
PLATFORM_NAMES = _listed("PLATFORM_NAMES", default="kameng")
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])
if PRODUCTION:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
SILENCED_SYSTEM_CHECKS = [
    # The web server before us redirects to https; health checks and its question about certificates come over http.
    "security.W008",
    # A sub-site's domain is its owner's: what else runs below it, and whether browsers preload it, is not ours to say.
    "security.W005",
    "security.W021",
]

# --- apps: the border between public and a shop's schema (docs/architecture.md) --------------------------------------
#: Own rows on both sides: no account of one schema is worth anything in another.
BOTH_SIDES = [
    "django.contrib.contenttypes",
    "django.contrib.auth",  # its tables are dropped on both (docs/adr/0050)
    "django.contrib.sessions",
    "kameng.accounts",
    "django.contrib.admin",
]
SHARED_APPS = [
    "django_tenants",
    "resellers",
    "resellers.ledger",
    "resellers.withdrawals",
    "resellers.clients",
    "resellers.deposits",
    "resellers.domains",
    "resellers.brand",
    "resellers.plans",
    "compliance",
    "compliance.trail",
    "compliance.reports",
    "compliance.scans",
    "compliance.gate",
    "compliance.desk",
    "compliance.visits",
    "catalog",
    "customers.coupons",
    "fulfillment.suppliers",
    "payments.merchants",
    "payments.transfers",
    "kameng.outbox",
    "kameng.inbox",
    "kameng.alerts",
    "kameng.reconciliation",
    *BOTH_SIDES,
]
TENANT_APPS = ["catalog.listings", "customers", "orders", "payments", "fulfillment", "kameng.supply", *BOTH_SIDES]
WITHOUT_TABLES = [
    "kameng",
    "unfold",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
]
#: Who keeps the rows of each kind that the gate screens (`compliance.gate.subjects.Door`).
SCREENED_SUBJECTS = {
    "product": "catalog.screened.PRODUCTS",
    "listing": "catalog.listings.screened.LISTINGS",
    "placement": "catalog.listings.product_names.PLACEMENTS",
    "shop": "compliance.gate.shops.SHOPS",
    "offer": "fulfillment.suppliers.screened.OFFERS",
    "category": "catalog.shelf_names.CATEGORIES",
    "own_good": "catalog.screened.OWN_GOODS",
    "picture": "compliance.gate.pictures.PICTURES",
}
#: Of whom products are bought: whose papers of a brand speak for the platform's goods.
SUPPLIERS_OF_PRODUCTS = "fulfillment.suppliers.licensed.suppliers_of_products"
INSTALLED_APPS = [*WITHOUT_TABLES, *dict.fromkeys([*SHARED_APPS, *TENANT_APPS])]
TENANT_MODEL = "resellers.Reseller"
TENANT_DOMAIN_MODEL = "resellers.Domain"
ROOT_URLCONF = "kameng.urls_shop"
PUBLIC_SCHEMA_URLCONF = "kameng.urls_operations"
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"
WSGI_APPLICATION = "kameng.wsgi.application"

MIDDLEWARE = [
    "catalog.listings.pages_kept.KeepPagesMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "resellers.middleware.ShopMiddleware",
    "kameng.core.middleware.SecurityHeadersMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "compliance.gate.middleware.RefusalsMiddleware",
    "kameng.core.middleware.LazyMessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "catalog.listings.closed.ClosedShopMiddleware",
]
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
                "resellers.context.shop",
            ],
        },
    },
]

# --- database: the truth ---------------------------------------------------------------------------------------------
DATABASES = {
    "default": {
        **env.db_url("DATABASE_URL"),
        "ENGINE": "kameng.core.database",
        # Sessions keep a search path, so connections are kept, never pooled by transaction.
        "CONN_MAX_AGE": env.int("CONN_MAX_AGE", default=60),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5, "options": "-c lock_timeout=10s -c statement_timeout=30s"},
    }
}
#: Of how many shops the sessions of a process may know the tables together, at about 1 MB of the server's memory each.
SHOPS_KNOWN = env.int("SHOPS_KNOWN", default=1500)
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
#: The search path is sent when the shop changes or a rollback has undone it, not before every statement.
TENANT_LIMIT_SET_CALLS = True
#: Asked for dozens of times a request, and slow where it is not said.
PUBLIC_SCHEMA_NAME = "public"

# --- Redis: the bell and the cache -----------------------------------------------------------------------------------
REDIS_URL = env.str("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_FUNCTION": "django_tenants.cache.make_key",
        "REVERSE_KEY_FUNCTION": "django_tenants.cache.reverse_key",
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    }
}

# --- sign-in ---------------------------------------------------------------------------------------------------------
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
SESSION_COOKIE_NAME = "kameng_session"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "kameng_csrf"
CSRF_FAILURE_VIEW = "kameng.operations.errors.csrf_failure"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
#: A request up to this size stays in memory with its files: a file of codes (`fulfillment.suppliers.stock_files`) and
#: its form. What is larger is a scan or a bill.
FILE_UPLOAD_MAX_MEMORY_SIZE = 11 * 1024 * 1024
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "kameng.core.uploads.NamelessFileUploadHandler",
]

# --- language and time -----------------------------------------------------------------------------------------------
LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LANGUAGE_COOKIE_NAME = "kameng_language"
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "Asia/Shanghai"
USE_TZ = True

# --- static files ----------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_MAX_AGE = 31_536_000

# --- what the product promises ---------------------------------------------------------------------------------------
ORDER_EXPIRES_SECONDS = env.int("ORDER_EXPIRES_SECONDS", default=15 * 60)
BENCH = env.bool("KAMENG_BENCH", default=False)
if BENCH and PRODUCTION:
    raise environ.ImproperlyConfigured("KAMENG_BENCH is for the demo only")
UNPAID_ORDERS_PER_CONTACT = 1_000_000 if BENCH else env.int("UNPAID_ORDERS_PER_CONTACT", default=5)
UNPAID_ORDERS_PER_ADDRESS = 1_000_000 if BENCH else env.int("UNPAID_ORDERS_PER_ADDRESS", default=20)
#: What a shopper who says that they are under age may spend on goods of the categories that operators have marked, in
#: yuan, for one order and for a calendar month, by `catalog.ages.Age`. Below 8 it is nothing.
MINOR_CAPS: dict[str, tuple[Decimal, Decimal]] = {}
for _age, _name, _default in (("8-15", "MINOR_CAPS_CHILD", "50,200"), ("16-17", "MINOR_CAPS_TEEN", "100,400")):
    try:
        _once, _month = (Decimal(part.strip()) for part in env.str(_name, default=_default).split(","))
    except (ArithmeticError, ValueError) as _error:
        raise environ.ImproperlyConfigured(f"{_name} must be two amounts in yuan, such as {_default}") from _error
    MINOR_CAPS[_age] = (_once, _month)
#: No shop asks more than so many percent of the official price, unless a category says otherwise.
PRICE_CAP_PERCENT = env.int("PRICE_CAP_PERCENT", default=200)
if PRICE_CAP_PERCENT < 100:
    raise environ.ImproperlyConfigured("PRICE_CAP_PERCENT is percent of the official price, and at least 100")
#: What the platform takes of the price of an owner's own good, in percent; never less than a cent of a piece.
OWN_GOODS_FEE_PERCENT = Decimal(env.str("OWN_GOODS_FEE_PERCENT", default="1"))
if not 0 <= OWN_GOODS_FEE_PERCENT <= 50:
    raise environ.ImproperlyConfigured("OWN_GOODS_FEE_PERCENT is percent of a price, from 0 to 50")
#: A margin that rising supply prices have brought below so many percent of the supply price is told to a shop's owner.
MARGIN_ALARM_PERCENT = env.int("MARGIN_ALARM_PERCENT", default=2)
#: How many days after it ended an order's contact and account are replaced by pseudonyms: one that was paid, and one
#: that never was. The contact of a report is forgotten so long after it was handled, the words of a gateway's or a
#: supplier's notice so long after they came. docs/compliance.md says why.
RETENTION_ORDER_DAYS = env.int("RETENTION_ORDER_DAYS", default=180)
RETENTION_UNPAID_DAYS = env.int("RETENTION_UNPAID_DAYS", default=30)
RETENTION_REPORT_DAYS = env.int("RETENTION_REPORT_DAYS", default=180)
RETENTION_NOTICE_DAYS = env.int("RETENTION_NOTICE_DAYS", default=1096)
#: An attempt that no supplier will explain is handed to a person after this long.
UNKNOWN_LIMIT_SECONDS = env.int("UNKNOWN_LIMIT_SECONDS", default=60 * 60)
#: So is one that a supplier took on and never finished.
ACCEPTED_LIMIT_SECONDS = env.int("ACCEPTED_LIMIT_SECONDS", default=24 * 60 * 60)
#: While everybody who could deliver is left alone by a breaker, a paid order waits for so long, and never for more than
#: half of `UNKNOWN_LIMIT_SECONDS`, which is the time that shoppers are told.
OUTAGE_PATIENCE_SECONDS = env.int("OUTAGE_PATIENCE_SECONDS", default=15 * 60)
#: "No such order" is believed when it is said twice this far apart (and after the protocol's own grace time).
NOT_FOUND_WINDOW_SECONDS = env.int("NOT_FOUND_WINDOW_SECONDS", default=60)
#: A rate of exchange that is older makes costs in that currency unknown, and what costs nobody knows what is not sold.
EXCHANGE_RATE_MAX_AGE_HOURS = env.int("EXCHANGE_RATE_MAX_AGE_HOURS", default=48)
#: Price lists are read again after this long.
SUPPLIER_SYNC_MINUTES = env.int("SUPPLIER_SYNC_MINUTES", default=10)
#: A cost that was told longer ago is asked about right before buying.
COST_MAX_AGE_MINUTES = env.int("COST_MAX_AGE_MINUTES", default=30)
#: A cost that a person typed, where no protocol tells or limits it, is unknown after this long; people are told before.
TYPED_COST_MAX_AGE_DAYS = env.int("TYPED_COST_MAX_AGE_DAYS", default=90)
#: Balances are asked for again after this long.
SUPPLIER_BALANCE_MINUTES = env.int("SUPPLIER_BALANCE_MINUTES", default=5)

#: How many orders in a hundred begin with another supplier than the first, so that a recovered one is noticed.
SUPPLIER_EXPLORATION_PERCENT = env.int("SUPPLIER_EXPLORATION_PERCENT", default=5)
#: How many threads of one worker may wait for the same supplier: a part of them, so that others are still served.
SUPPLIER_THREADS = env.int("SUPPLIER_THREADS", default=4)

#: What an owner may take out at once, in yuan, and what that costs: a fixed sum and a share, together. A shop may have
#: terms of its own.
WITHDRAWAL_MINIMUM = Decimal(env.str("WITHDRAWAL_MINIMUM", default="50"))
WITHDRAWAL_FEE = Decimal(env.str("WITHDRAWAL_FEE", default="0"))
WITHDRAWAL_FEE_PERCENT = Decimal(env.str("WITHDRAWAL_FEE_PERCENT", default="0"))
#: From this sum on, in yuan, a second operator must approve too.
WITHDRAWAL_SECOND_APPROVAL = Decimal(env.str("WITHDRAWAL_SECOND_APPROVAL", default="5000"))

#: The owner of a shop that collects for itself is warned when its deposit falls below so much, in yuan. A shop may
#: have a limit of its own.
DEPOSIT_WARNING = Decimal(env.str("DEPOSIT_WARNING", default="500"))
#: And when it lasts no longer than so many days, by what was held in the last seven.
DEPOSIT_WARNING_DAYS = env.int("DEPOSIT_WARNING_DAYS", default=3)
#: What people return of one order, in yuan, all of it together: above this sum another person must approve.
REFUND_SECOND_APPROVER_ABOVE = Decimal(env.str("REFUND_SECOND_APPROVER_ABOVE", default="200"))

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        # One line per call to a gateway or supplier, with the full address, is more than an operator wants to keep.
        "httpx": {"level": "WARNING"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        # Whoever pastes too much is told what to do instead; nobody else can do anything about it.
        "django.security.RequestDataTooBig": {"level": "CRITICAL"},
        # Two lines for each bell say nothing; tasks that fail are still told of.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
    },
}

# --- Celery: broker only, no results ---------------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TIMEZONE = TIME_ZONE
#: A frozen broker must not freeze a checkout: everything that talks to it gives up after a second.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # The row is what must not be lost, so a bell is gone when it is heard. Imitating acknowledgements, kombu would give
    # bells back to a broker that has just gone away, and the worker would die of it.
    "ack_emulation": False,
    "socket_timeout": 1,
    "socket_connect_timeout": 1,
    "socket_keepalive": True,
    # Else a publisher goes on connecting for four seconds, whatever its `retry` says; a worker has a limit of its own.
    "max_retries": 0,
}
CELERY_TASK_PUBLISH_RETRY = False
