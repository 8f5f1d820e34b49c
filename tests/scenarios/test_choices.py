"""What chance decides in an episode is named, and can be told by a few names."""

from __future__ import annotations

import pytest

from chaos.choice import draw
from scenarios.choices import Choices


def test_a_choice_depends_on_the_seed_and_what_it_is_about_alone() -> None:
    one, other = Choices(1), Choices(1)
    other("something else")
    assert one("a key") == other("a key") == draw(1, "a key")
    assert one("a key") != Choices(2)("a key")


def test_what_was_drawn_is_remembered() -> None:
    choices = Choices(1)
    value = choices("a key")
    assert choices.made == {"a key": value}


def test_with_only_some_named_all_others_are_benign_and_not_remembered() -> None:
    choices = Choices(1, {"a key": 0.5})
    assert (choices("a key"), choices("another")) == (0.5, 0.0)
    assert choices.made == {"a key": 0.5}


def test_choices_made_decide_again_as_they_did() -> None:
    first = Choices(7)
    drawn = [first(f"key {number}") for number in range(9)]
    again = Choices(8, first.made)
    assert [again(f"key {number}") for number in range(9)] == drawn


@pytest.mark.parametrize("only", [None, {"jitter 1": 0.1, "jitter 2": 0.2}])
def test_who_cannot_name_what_they_draw_for_gets_numbers(only) -> None:
    choices = Choices(1, only)
    following = choices.numbered("jitter")
    drawn = [following(), following()]
    assert list(choices.made) == ["jitter 1", "jitter 2"]
    assert list(choices.made.values()) == drawn
