"""Databases of the host: statements, transactions, and values on their way."""
