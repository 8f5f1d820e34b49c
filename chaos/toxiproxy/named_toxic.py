"""A toxic of a proxy, as Toxiproxy's API tells and takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from chaos.faults.aim import AimedAtRequests
from chaos.refusal import refuse_unless
from chaos.toxiproxy.http_toxics import HTTP_TYPES, http_attributes_of, http_toxic
from chaos.toxiproxy.poison import Poison
from chaos.toxiproxy.toxics import TYPES, Stream, Toxic, attributes_of, check_toxicity

NAME_CHARACTERS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class NamedToxic:
    """`attributes` are those of its type, with what was not given at its default."""

    name: str
    type: str
    stream: Stream
    toxicity: float
    attributes: Mapping[str, Any]

    @classmethod
    def of(
        cls, name: str, type_: str, stream: Stream, toxicity: float, given: Mapping[str, object]
    ) -> NamedToxic:
        """One whose attributes make sense. What is not given has its default; what Toxiproxy does
        not know it ignores, and so does this. Raises `ValueError` with a sentence."""
        check_toxicity(toxicity)
        refuse_unless(
            0 < len(name) <= NAME_CHARACTERS_MAX,
            f"A toxic's name has 1 to {NAME_CHARACTERS_MAX} characters.",
        )
        said = {key: value for key, value in given.items() if value is not None}
        if type_ in TYPES:
            return cls(name, type_, stream, toxicity, attributes_of(_toxic(type_, said)))
        return cls(name, type_, stream, toxicity, http_attributes_of(http_toxic(type_, said)))

    def changed(self, toxicity: float | None, given: Mapping[str, object]) -> NamedToxic:
        """With these attributes instead; others stay. Raises as `of`."""
        toxicity = self.toxicity if toxicity is None else toxicity
        merged = {**self.attributes, **given}
        return self.of(self.name, self.type, self.stream, toxicity, merged)

    @property
    def poison(self) -> Poison | None:
        """What it is for connections; None where it is for requests."""
        if self.type not in TYPES:
            return None
        return Poison(_toxic(self.type, self.attributes), self.stream, self.toxicity)

    @property
    def fault(self) -> AimedAtRequests | None:
        """What it is for requests; None where it hits none."""
        if self.type not in HTTP_TYPES or self.toxicity == 0:
            return None
        return http_toxic(self.type, self.attributes, self.toxicity)


def _toxic(type_: str, attributes: Mapping[str, object]) -> Toxic:
    kind = TYPES[type_]
    known = {key: attributes[key] for key in kind.__struct_fields__ if key in attributes}
    try:
        return msgspec.convert(known, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"{type_}: {error}") from error
