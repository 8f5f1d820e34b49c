"""The mutants of a module: its text with one thing changed, by mutmut's operators and two more.

Mutmut itself runs mutants of functions only, chosen after everything is imported. Half of what the
core decides stands outside of functions, as tables, bounds and defaults, so here its operators are
applied to whole modules, and each mutant is a module of its own.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst
import libcst.matchers as m
from libcst.metadata import MetadataWrapper
from mutmut.mutation.file_mutation import MutationVisitor, deep_replace
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode


@dataclass(frozen=True, slots=True)
class Mutant:
    """`was` became `becomes`, both without indentation, in `place`: a function, or "" outside."""

    place: str
    was: str
    becomes: str
    source: str


def mutants_of(source: str) -> tuple[Mutant, ...]:
    """Every mutant of the text of a module, in an order that depends on the text alone.

    No comment in the text excepts anything. Left out are docstrings, annotations, decorators and
    what is decorated, but for class methods.
    """
    visitor = MutationVisitor(_OPERATORS, IgnoredCode(set(), set(), set()), None)
    module = MetadataWrapper(cst.parse_module(source)).visit(visitor)
    places = _places(module)
    return tuple(
        _mutant(
            places.get(mutation.contained_by_top_level_function, ""),
            source,
            deep_replace(module, mutation.original_node, mutation.mutated_node).code,
        )
        for mutation in visitor.mutations
    )


def _mutant(place: str, before: str, after: str) -> Mutant:
    changes = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    was, becomes = (
        "\n".join(line[2:].strip() for line in changes if line.startswith(sign))
        for sign in ("- ", "+ ")
    )
    return Mutant(place, was, becomes, after)


def _places(module: cst.Module) -> dict[cst.CSTNode | None, str]:
    places: dict[cst.CSTNode | None, str] = {}
    for statement in module.body:
        match statement:
            case cst.FunctionDef(name=cst.Name(value=name)):
                places[statement] = name
            case cst.ClassDef(name=cst.Name(value=name), body=cst.IndentedBlock(body=body)):
                for part in body:
                    of = f".{part.name.value}" if isinstance(part, cst.FunctionDef) else ""
                    places[part] = f"{name}{of}"
    return places


def _element_left_out(table: cst.Dict | cst.Set | cst.Tuple) -> Iterator[cst.CSTNode]:
    """A table without one of its rows, a set or a tuple without one of its members."""
    if len(table.elements) < 2:
        return
    for left_out in table.elements:
        kept = [element for element in table.elements if element is not left_out]
        if len(kept) == 1 and isinstance(table, cst.Tuple):
            kept = [kept[0].with_changes(comma=cst.Comma())]
        yield table.with_changes(elements=kept)


def _another_member(table: cst.Dict) -> Iterator[cst.CSTNode]:
    """A table in which one row says, of an enumeration, what another row says."""
    rows = [row for row in table.elements if m.matches(row.value, _MEMBER)]
    said = {row.value.attr.value: row.value for row in rows}
    for row in rows:
        for name, value in said.items():
            if row.value.attr.value != name:
                changed = row.with_changes(value=value.deep_clone())
                yield table.with_changes(
                    elements=[changed if element is row else element for element in table.elements]
                )


_MEMBER = m.Attribute(value=m.Name(value=m.MatchIfTrue(lambda name: name[:1].isupper())))
_OPERATORS = [
    *mutation_operators,
    (cst.Dict | cst.Set | cst.Tuple, _element_left_out),
    (cst.Dict, _another_member),
]
