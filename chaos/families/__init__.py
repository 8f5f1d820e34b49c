"""Families of faults, of which a swarm draws: what each needs, whom it hits, how hard."""

from chaos.families.family import Cast, Family
from chaos.families.of_actors import OF_ACTORS
from chaos.families.of_insides import OF_INSIDES
from chaos.families.of_links import OF_LINKS
from chaos.families.of_requests import OF_REQUESTS

FAMILIES: dict[str, Family] = {**OF_ACTORS, **OF_REQUESTS, **OF_LINKS, **OF_INSIDES}
"""Every family there is, by name. The names are keys of draws and part of kept failures."""

__all__ = ["FAMILIES", "Cast", "Family"]
