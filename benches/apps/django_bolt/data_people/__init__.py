"""The tables of data.py, for Django."""
