"""What a client knows about one registration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Registered:
    """Under management of `managed_by`. `verified`: it was read back."""

    ticket: int
    already: bool = False
    verified: bool = False
    managed_by: str = "dtms_manager"
    word: ClassVar[str] = "REGISTERED"
    final: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Rejected:
    """Refused for good, and not registered."""

    ticket: int
    reason: str
    word: ClassVar[str] = "REJECTED"
    final: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Conflict:
    """The ticket is registered with other data, which stay as they are."""

    ticket: int
    reason: str
    word: ClassVar[str] = "CONFLICT"
    final: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Closed:
    """It was registered, and the position is closed by now."""

    ticket: int
    word: ClassVar[str] = "CLOSED"
    final: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Pending:
    """Not known yet; it stays in the outbox and is gone on with.

    `tried`: the attempts of this drive are used up; else it only waits for its turn.
    `retry_after_s`: how long the API asked to be left alone, from the end of the drive.
    """

    ticket: int
    reason: str
    tried: bool = False
    retry_after_s: float = 0.0
    word: ClassVar[str] = "PENDING"
    final: ClassVar[bool] = False


Outcome = Registered | Rejected | Conflict | Closed | Pending
