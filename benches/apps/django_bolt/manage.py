"""Starts Django's command line for the Django-Bolt bench app."""

# mypy: ignore-errors
# What it imports is installed only in the peers' environment, not where mypy runs.

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    execute_from_command_line(sys.argv)
