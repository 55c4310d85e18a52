"""The settings of Django's own tests over a fake host; see run.py."""

DATABASES = {
    "default": {"ENGINE": "bolt.django", "NAME": "main"},
    "other": {"ENGINE": "bolt.django", "NAME": "other"},
}
SECRET_KEY = "of tests"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
