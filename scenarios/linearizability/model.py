"""A sequential specification as a pure function, and an operation as it looks at one."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

State = Hashable


class Unknown:
    """The kind of UNKNOWN."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()
"""What came of an operation, where nobody knows: it took effect at any time since, or never."""


class Impossible:
    """The kind of IMPOSSIBLE."""

    def __repr__(self) -> str:
        return "IMPOSSIBLE"


IMPOSSIBLE: Final = Impossible()
"""What follows on a state in which the operation cannot have had its outcome."""


class Operation(msgspec.Struct, frozen=True, gc=False):
    """What somebody asked one object for, and what came of it.

    `began` and `ended` are indices in the history, from 0 on, and no two operations on one object
    have the same end; `ended` is None where nobody knows what came of it, and `outcome` UNKNOWN
    then. `asked` and `outcome` are the model's.
    """

    f: str
    asked: Hashable
    outcome: Hashable
    began: int
    ended: int | None


Step = Callable[[State, str, Hashable, Hashable], State | Impossible]
"""The state after an operation (kind, what was asked, outcome); IMPOSSIBLE where it cannot have had
that outcome. With UNKNOWN it is never impossible: the operation may as well not have happened."""


@dataclass(frozen=True, slots=True)
class Model:
    """A specification: the state an object begins with, and what operations do to it.

    `only_reads` says of a kind of operation and its outcome whether it never changes any state.
    `may_help` says of a kind, what was asked, and the outcome of another operation that must come
    behind it, whether that can be.
    """

    name: Literal["registration", "register", "cas-register", "set"]
    begin: State
    step: Step
    only_reads: Callable[[str, Hashable], bool]
    may_help: Callable[[str, Hashable, Hashable], bool] = lambda _f, _asked, _outcome: True
