"""The minimum of Django that Django-Bolt needs: no database, no middleware, no admin."""

SECRET_KEY = "only-for-measuring-on-loopback"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["django_bolt"]
MIDDLEWARE: list[str] = []
ROOT_URLCONF = "urls"
BOLT_API = ["api:api"]
USE_TZ = True
# Logging off, as for every server measured here.
LOGGING_CONFIG = None
