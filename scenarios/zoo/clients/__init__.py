"""Clients: correct ones, and ones with a planted bug each."""
