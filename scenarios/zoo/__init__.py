"""Targets with one planted bug each: what the lab must find."""
