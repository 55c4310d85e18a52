"""Conversion between wire values and Python objects, and between results and replies."""
