"""The table of users of data.py, for Django."""

# mypy: ignore-errors
# What it imports is installed only in the peers' environment, not where mypy runs.

from django.db import models


class User(models.Model):
    id = models.BigAutoField(primary_key=True)
    name = models.TextField()
    email = models.TextField()
    age = models.IntegerField()
    created = models.DateTimeField()

    class Meta:
        db_table = "users"
        managed = False
