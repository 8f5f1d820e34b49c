"""How far a soak has come: a small file, whole at any moment, that the next one goes on from."""

from __future__ import annotations

from pathlib import Path

import msgspec

from scenarios.output import replace_file

SCHEMA = 1


class StateRefused(ValueError):
    """The file is no state of a soak; the message names it."""


class SoakState(msgspec.Struct, forbid_unknown_fields=True):
    """Every seed below `next_seed` was played; `played` counts those by fidelity."""

    schema: int = SCHEMA
    next_seed: int = 0
    played: dict[str, int] = {}
    failed: int = 0
    could_not: int = 0

    @property
    def told(self) -> str:
        """Counts, in words."""
        each = ", ".join(f"{count:,} {fidelity}" for fidelity, count in self.played.items())
        return f"{self.next_seed:,} episodes ({each or 'none yet'}), {self.failed} failed"


def read_state(path: Path) -> SoakState:
    """The state; a fresh one where there is no file. Raises `StateRefused`."""
    try:
        state = msgspec.json.decode(path.read_bytes(), type=SoakState)
    except FileNotFoundError:
        return SoakState()
    except msgspec.DecodeError as error:
        raise StateRefused(f"{path} is no state of a soak: {error}") from error
    if state.schema != SCHEMA:
        raise StateRefused(f"{path} has schema {state.schema}; this version goes on from {SCHEMA}")
    return state


def write_state(path: Path, state: SoakState) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, msgspec.json.format(msgspec.json.encode(state)) + b"\n")
