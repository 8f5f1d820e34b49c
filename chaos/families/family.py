"""What a family of faults is: what it needs, whom it can hit, and how one of them is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chaos.dice import Dice
from chaos.links import ANY, ARROW
from chaos.schedule import Scheduled


@dataclass(frozen=True, slots=True)
class Cast:
    """Who there is to be hit. `server` is the DTMS API; its clients have a link to it."""

    links: tuple[str, ...]
    actors: tuple[str, ...]
    server: str

    def servers(self) -> tuple[str, ...]:
        """The server, where it is an actor."""
        return (self.server,) if self.server in self.actors else ()

    def clients(self) -> tuple[str, ...]:
        """Those who register."""
        return tuple(a for a in self.actors if f"{a}{ARROW}{self.server}" in self.links)

    def principals(self) -> tuple[str, ...]:
        """The server and its clients: whoever has promised to keep something."""
        return (*self.servers(), *self.clients())

    def server_links(self) -> tuple[str, ...]:
        """All links to the server at once, and each of them."""
        all_of_them = f"{ANY}{ARROW}{self.server}"
        each = tuple(link for link in self.links if link.partition(ARROW)[2] == self.server)
        return (all_of_them, *each) if each else ()

    def any_links(self) -> tuple[str, ...]:
        """All links to the server at once, and each link that there is."""
        return (*self.server_links()[:1], *self.links)

    def no_actor(self) -> tuple[str, ...]:
        """For faults that name nobody; what they need says whether they can be."""
        return ("",)


Whom = Callable[[Cast], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Family:
    """Faults of one kind. `make` is given one of those whom it can hit, and draws the rest."""

    needs: frozenset[type]
    whom: Whom
    make: Callable[[str, Dice], Scheduled]
