"""The settings of the Django-Bolt app of data.py: those of the other one, with a database."""

# mypy: ignore-errors
# `settings` is a module of this folder, where Django starts.

import os

from settings import *  # noqa: F403

INSTALLED_APPS = ["django_bolt", "data_people"]
BOLT_API = ["data_api:api"]
# Django-Bolt keeps a connection for each of its threads for the ORM.
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["DATABASE_FOLDER"],
        "NAME": "bench",
        "USER": "postgres",
    }
}
