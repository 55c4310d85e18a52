"""The settings of the Django-Bolt app of streams.py: those of the other one, with another API."""

# mypy: ignore-errors
# `settings` is a module of this folder, where Django starts.

from settings import *  # noqa: F403

BOLT_API = ["stream_api:api"]
