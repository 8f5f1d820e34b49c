"""Every decision that chance makes in an episode, by name.

A choice is a number in [0, 1) for what it is about: hash(seed, key). 0 is benign. With `only`, all
others are 0, so that a failure can be told, and shrunk, by the few choices that it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chaos.choice import draw


class Choices:
    """Draws by key, and remembers in `made` what was drawn and was not 0."""

    def __init__(self, seed: int, only: Mapping[str, float] | None = None) -> None:
        self.seed = seed
        self.made: dict[str, float] = {}
        self._only = only

    def __call__(self, key: str) -> float:
        value = draw(self.seed, key) if self._only is None else self._only.get(key, 0.0)
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
