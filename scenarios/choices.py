"""Every decision that chance makes in an episode, by name.

A choice is a number in [0, 1) for what it is about: hash(seed, key). 0 is benign. With `only`, all
others are 0, so that a failure can be told, and shrunk, by the few choices that it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b

from chaos.choice import DRAW_BITS

UNUSED_BITS = 64 - DRAW_BITS
UNIT = 1.0 / (1 << DRAW_BITS)


class Choices:
    """Draws by key, as `chaos.choice.draw` does; `made` holds what was drawn and was not 0."""

    def __init__(self, seed: int, only: Mapping[str, float] | None = None) -> None:
        self.seed = seed
        self.made: dict[str, float] = {}
        self._only = only
        # What `chaos.choice.draw` hashes, begun once: to begin costs four times as much as to end.
        self._begun = blake2b(f"{seed}:".encode(), digest_size=8)

    def __call__(self, key: str) -> float:
        if self._only is None:
            hashing = self._begun.copy()
            hashing.update(key.encode("utf-8", "surrogatepass"))
            value = (int.from_bytes(hashing.digest(), "big") >> UNUSED_BITS) * UNIT
        else:
            value = self._only.get(key, 0.0)
        if value:
            self.made[key] = value
        return value

    def numbered(self, name: str) -> Callable[[], float]:
        """Draws for who cannot name what they draw for: the first, the second, and so on."""
        count = 0

        def next_draw() -> float:
            nonlocal count
            count += 1
            return self(f"{name} {count}")

        return next_draw
