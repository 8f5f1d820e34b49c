"""Where episodes happen."""
