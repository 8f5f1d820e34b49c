"""Faults as data, the capabilities they need, and what inflicts them for real."""
