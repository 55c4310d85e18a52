"""What lets the HTTP clients of Python and of PyPI send their requests through the host."""
