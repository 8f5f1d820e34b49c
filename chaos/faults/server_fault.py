"""Something goes wrong inside the DTMS API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from chaos.capabilities import Server, Undo
from chaos.refusal import refuse_unless


@dataclass(frozen=True, slots=True)
class ServerFault:
    """`actor` suffers what its own control plane knows by name: `{"fault": "store-full"}`."""

    actor: str
    script: Mapping[str, object]
    needs: ClassVar[type] = Server

    def __post_init__(self) -> None:
        refuse_unless(bool(self.actor), "ServerFault needs the name of an actor.")
        name = self.script.get("fault")
        refuse_unless(
            isinstance(name, str) and bool(name),
            f'A server fault is named, as in {{"fault": "store-full"}}; this is {self.script!r}.',
        )

    async def inflict(self, server: Server) -> Undo:
        return await server.script(self.actor, self.script)
