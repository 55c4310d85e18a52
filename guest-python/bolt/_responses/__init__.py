"""The base of responses, and those whose body is sent in parts."""
