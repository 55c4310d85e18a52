"""`crud`: endpoints over a table, in Python and as data with which the host answers alone."""
