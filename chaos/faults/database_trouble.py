"""A database fails those who keep their rows in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, get_args

from chaos.capabilities import Database, DatabaseFailure, Undo
from chaos.refusal import refuse_unless

FAILURES: tuple[DatabaseFailure, ...] = get_args(DatabaseFailure)


@dataclass(frozen=True, slots=True)
class DatabaseTrouble:
    """The database server is killed with all its processes, is frozen, has its tables locked by a
    transaction that somebody left open, has no connection left, or cuts off everybody at once, as
    in a fail-over. Undone, it is as before."""

    how: DatabaseFailure
    needs: ClassVar[type] = Database

    def __post_init__(self) -> None:
        words = f"A database is not {self.how!r}; it is one of {', '.join(FAILURES)}."
        refuse_unless(self.how in FAILURES, words)

    async def inflict(self, database: Database) -> Undo:
        return await database.fail(self.how)
