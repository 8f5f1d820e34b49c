"""Servers: a correct one, and ones with a planted bug each."""
