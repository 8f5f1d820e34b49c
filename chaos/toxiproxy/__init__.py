"""Toxiproxy: its toxics as values, its real server, and an embedded one that speaks its API."""
