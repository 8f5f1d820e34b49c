"""What happens, where it happens, and how it is judged."""
