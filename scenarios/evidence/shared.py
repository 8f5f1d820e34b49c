"""Evidence that several checkers look at is read once for each history."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar, cast

from scenarios.history import History

T = TypeVar("T")


def once_per_history(read: Callable[[History], T]) -> Callable[[History], T]:
    """The function, remembering what it read. All who ask get the same: nobody may change it."""

    @wraps(read)
    def known(history: History) -> T:
        remembered = history.remembered
        if read not in remembered:
            remembered[read] = read(history)
        return cast(T, remembered[read])

    return known
