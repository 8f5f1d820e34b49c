"""How a fault says that it makes no sense."""

from __future__ import annotations


def refuse_unless(sensible: bool, sentence: str) -> None:
    """Raises `ValueError` with the sentence."""
    if not sensible:
        raise ValueError(sentence)
