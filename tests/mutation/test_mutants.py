"""What is mutated, and what is left alone."""

import ast

import pytest

from tests.mutation.mutants import mutants_of


def changes(source: str) -> set[tuple[str, str, str]]:
    return {(m.place, m.was, m.becomes) for m in mutants_of(source)}


@pytest.mark.parametrize(
    ("source", "change"),
    [
        ("def f(s):\n    return s > 5\n", ("f", "return s > 5", "return s >= 5")),
        ("class A:\n    def f(self):\n        return not self.x\n",
         ("A.f", "return not self.x", "return self.x")),
        ("class A:\n    limit: int = 3\n", ("A", "limit: int = 3", "limit: int = 4")),
        ("LIMIT = 64\n", ("", "LIMIT = 64", "LIMIT = 65")),
        ("WORDS = frozenset({'on', 'yes'})\n",
         ("", "WORDS = frozenset({'on', 'yes'})", "WORDS = frozenset({'on', })")),
        ("NAMES = ('sl', 'final')\n", ("", "NAMES = ('sl', 'final')", "NAMES = ('final',)")),
        ("T = {\n    'a': S.OPEN,\n    'b': S.SHUT,\n}\n",
         ("", "'a': S.OPEN,", "'a': S.SHUT,")),
        ("T = {\n    'a': S.OPEN,\n    'b': S.SHUT,\n}\n", ("", "'b': S.SHUT,", "")),
        ("X = 1  # pragma: no mutate\n",
         ("", "X = 1  # pragma: no mutate", "X = 2  # pragma: no mutate")),
    ],
)  # fmt: skip
def test_one_thing_is_changed_at_a_time(source, change) -> None:
    assert change in changes(source)


@pytest.mark.parametrize(
    "source",
    [
        '"""A text."""\n',
        "def f(x: int | None) -> int | None:\n    return x\n",
        "@dataclass(frozen=True)\nclass A:\n    x: int\n",
        "@property\ndef f(self):\n    return 3\n",
    ],
)
def test_what_says_nothing_is_left_alone(source) -> None:
    assert {change for change in changes(source) if "None" not in change[2]} == set()


def test_every_mutant_is_another_text_that_can_be_parsed() -> None:
    source = "def f(a, b=2):\n    match a:\n        case 1 if b > 0:\n            return 'x'\n" \
             "        case _:\n            return g(a, b) if a else None\n"  # fmt: skip
    mutants = mutants_of(source)
    assert len({mutant.source for mutant in mutants}) == len(mutants) > 10
    for mutant in mutants:
        assert mutant.source != source
        ast.parse(mutant.source)
    assert mutants == mutants_of(source)
