"""A fault inside the server, from when it was asked for until it is healed.

It may be asked for while the server is down, or before its store is open: then it waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scenarios.worlds.sim.run import Run
from simulator.lab import FaultRefused


@dataclass(slots=True)
class Script:
    """`fault` as the server's control plane knows it."""

    fault: Mapping[str, object]
    healed: bool = False
    _run: Run | None = None
    _number: int | None = None

    def inflict(self, run: Run) -> None:
        """Now, on this run of the server; or when that is ready, where it cannot be before.

        Raises `FaultRefused` for what the server does not know.
        """
        if self.healed or run.lab is None:
            return
        try:
            self._number, self._run = run.lab.inflict(self.fault), run
        except FaultRefused:
            if run.ready:
                raise
            run.when_ready.append(self)

    def heal(self) -> None:
        """From now on it is not there, and does not come."""
        self.healed = True
        if self._run is not None and self._run.lab is not None and self._number is not None:
            # A server that died meanwhile has no faults left to take back.
            self._run.lab.heal(self._number)
