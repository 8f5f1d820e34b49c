"""Why a registration could not be made, and whether it may have happened all the same.

RegistrationError
├── TradeRefused   definite    the trade cannot be put on the wire
├── NotSent        definite    no byte of the request reached the server
├── OutboxFailed   definite    the intent could not be made durable, so nothing was sent
└── Unanswered     unknown     sent, and no whole answer came back
"""

from __future__ import annotations

from typing import ClassVar


class RegistrationError(Exception):
    """`definite` answers "did it certainly not happen?"."""

    definite: ClassVar[bool] = True


class TradeRefused(RegistrationError):
    """`field` of the trade is missing or cannot be sent; `reason` says why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class NotSent(RegistrationError):
    """The connection was refused, or none was to be had in time."""


class OutboxFailed(RegistrationError):
    """The outbox is closed, full, locked by another process, or its disk failed."""


class Unanswered(RegistrationError):
    """Timed out, reset, or cut off: the server may have done it."""

    definite: ClassVar[bool] = False
