"""The settings of Django's own tests over a fake host; see run.py."""

import django

# With the names of tests, because some tests make test databases while these are in use.
DATABASES = {
    "default": {"ENGINE": "bolt.django", "NAME": "main", "TEST": {"NAME": "test_main"}},
    "other": {"ENGINE": "bolt.django", "NAME": "other", "TEST": {"NAME": "test_other"}},
}
# Some tests expect it.
SECRET_KEY = "django_tests_secret_key"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if django.VERSION < (6,):
    DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
