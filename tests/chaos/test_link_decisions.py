"""What link faults make of a link's conditions, without any network."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.conditions import CALM, Flow, Toxic, under
from chaos.faults import Bandwidth, HalfOpen, Latency, Limit, Refuse, Reset, Slice, Stall
from chaos.links import check_link, covers

LINK = "bot->dtms"
toxics = st.one_of(
    st.builds(Latency, st.just(LINK), st.sampled_from([0.0, 250.0, 500.0])),
    st.builds(Bandwidth, st.just(LINK), st.sampled_from([10.0, 1000.0])),
    st.builds(Slice, st.just(LINK), st.sampled_from([1, 16])),
    st.builds(Limit, st.just(LINK), st.sampled_from([0, 512])),
    st.builds(Reset, st.just(LINK), st.sampled_from([0.0, 250.0])),
    st.builds(Stall, st.just(LINK), st.sampled_from(["up", "down", "both"])),
    st.just(HalfOpen(LINK)),
    st.builds(Refuse, st.just(LINK), st.booleans()),
)


@given(st.permutations(range(4)), st.lists(toxics, min_size=4, max_size=4))
def test_the_order_of_toxics_does_not_matter(order: list[int], several: list[Toxic]) -> None:
    named = [(str(n), toxic) for n, toxic in enumerate(several)]
    assert under(named) == under([named[n] for n in order])


def test_without_toxics_a_link_is_calm() -> None:
    assert under([]) == CALM


def test_latency_slows_the_way_back_by_default() -> None:
    conditions = Latency(LINK, latency_ms=200, jitter_ms=50).shape(CALM)
    assert conditions.down == Flow(delay_s=0.2, jitter_s=0.05)
    assert conditions.up == CALM.up


def test_latencies_add_up() -> None:
    both = under([("a", Latency(LINK, 100)), ("b", Latency(LINK, 50, direction="both"))])
    assert both.down.delay_s == pytest.approx(0.15)
    assert both.up.delay_s == pytest.approx(0.05)


def test_of_two_bandwidths_the_lower_counts() -> None:
    both = under([("a", Bandwidth(LINK, 500)), ("b", Bandwidth(LINK, 900))])
    assert (both.up.bytes_per_s, both.down.bytes_per_s) == (500, 500)


def test_conditions_know_the_names_of_what_is_in_force() -> None:
    assert under([("stall", Stall(LINK)), ("reset", Reset(LINK))]).names == ("stall", "reset")


@pytest.mark.parametrize(
    ("pattern", "link", "expected"),
    [
        ("bot->dtms", "bot->dtms", True),
        ("*->dtms", "bot->dtms", True),
        ("bot->*", "bot->dtms", True),
        ("*->*", "bot->main-api", True),
        ("*->dtms", "bot->main-api", False),
        ("desktop->dtms", "bot->dtms", False),
        ("dtms->bot", "bot->dtms", False),
    ],
)
def test_a_pattern_covers_the_links_it_means(pattern: str, link: str, expected: bool) -> None:
    assert covers(pattern, link) is expected


@pytest.mark.parametrize("name", ["", "bot", "->dtms", "bot->", "a->b->c"])
def test_what_is_no_link_is_refused_in_words(name: str) -> None:
    with pytest.raises(ValueError, match='is called like "bot->dtms"'):
        check_link(name)
