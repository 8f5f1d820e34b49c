"""What of the lab other projects import: the pytest plugin. It needs nothing but pytest."""
