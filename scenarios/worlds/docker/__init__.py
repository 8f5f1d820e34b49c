"""The world `docker`."""
