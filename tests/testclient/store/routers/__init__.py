"""The routes of the store."""
