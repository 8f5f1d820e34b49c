"""Random plans: the same for a seed, and never more than a world can suffer."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.capabilities import (
    Broker,
    Links,
    Managers,
    Points,
    Power,
    Processes,
    Requests,
    Server,
    Storage,
)
from chaos.choice import Draw, benign, seeded
from chaos.families import FAMILIES
from chaos.nemesis import Nemesis
from chaos.notation import decode_schedule, encode_schedule
from chaos.schedule import AfterRequest, Scheduled
from chaos.swarm import SWARM_FAULTS_MAX, swarm

SEEDS = range(300)
LAST_S = 3.0
LINKS = ("bot->dtms", "desktop->dtms", "bot->main-api")
ACTORS = ("broker", "main-api", "dtms", "bot", "desktop")
EVERYTHING: tuple[type, ...] = (
    Links,
    Requests,
    Processes,
    Server,
    Broker,
    Managers,
    Power,
    Storage,
    Points,
)
VICTIM = re.compile(r"swarm (\S+) \d victim")


class Remembered:
    """Draws of a seed but for those `without`; knows what was asked."""

    def __init__(self, seed: int, without: Collection[str] = ()) -> None:
        self.asked: dict[str, None] = {}
        self._draw = seeded(seed)
        self._without = without

    def __call__(self, key: str) -> float:
        self.asked[key] = None
        return 0.0 if key in self._without else self._draw(key)

    def asked_about(self, pattern: str) -> list[str]:
        return [key for key in self.asked if re.fullmatch(pattern, key)]


def plan(
    draw: Draw,
    *,
    offered: Collection[type] = EVERYTHING,
    avoid: Collection[str] = (),
    last_s: float = LAST_S,
) -> tuple[Scheduled, ...]:
    return swarm(draw, links=LINKS, actors=ACTORS, offered=offered, last_s=last_s, avoid=avoid)


@cache
def plans() -> tuple[tuple[Scheduled, ...], ...]:
    return tuple(plan(seeded(seed)) for seed in SEEDS)


def occurring(**how: Collection[str]) -> set[str]:
    found = set()
    for seed in SEEDS:
        draw = Remembered(seed)
        plan(draw, **how)
        found |= {said[1] for key in draw.asked if (said := VICTIM.fullmatch(key))}
    return found


def test_the_same_seed_makes_the_same_plan() -> None:
    assert plans() == tuple(plan(seeded(seed)) for seed in SEEDS)


def test_seeds_make_different_plans() -> None:
    assert len({repr(each) for each in plans()}) > 280


def test_a_plan_stays_what_it_is_from_release_to_release() -> None:
    assert encode_schedule(plans()[3]) == PLAN_3


def test_benign_draws_make_no_faults() -> None:
    assert plan(benign) == ()


def test_every_family_occurs_and_so_does_every_number_of_faults() -> None:
    assert occurring() == set(FAMILIES)
    assert {len(each) for each in plans()} == set(range(SWARM_FAULTS_MAX + 1))


def test_every_family_says_what_it_needs() -> None:
    assert all(family.needs <= set(EVERYTHING) for family in FAMILIES.values())
    assert {kind for family in FAMILIES.values() for kind in family.needs} == set(EVERYTHING)


def test_a_family_is_in_about_a_third_of_plans() -> None:
    for name in FAMILIES:
        in_force = sum(seeded(seed)(f"swarm {name}") >= 2 / 3 for seed in SEEDS)
        assert 70 < in_force < 130, name


def test_every_plan_can_be_written_and_read() -> None:
    for each in plans():
        assert decode_schedule(json.loads(json.dumps(encode_schedule(each)))) == each


@pytest.mark.parametrize("last_s", [0.001, 0.3, 3.0, 100.0])
def test_faults_happen_while_they_may(last_s: float) -> None:
    for seed in SEEDS:
        for scheduled in plan(seeded(seed), last_s=last_s):
            if isinstance(scheduled, AfterRequest):
                assert scheduled.for_s is not None
                continue
            for window in scheduled.windows:
                end_s = last_s if window.end_s is None else window.end_s
                assert 0 <= window.start_s < end_s <= last_s


@pytest.mark.parametrize("kind", EVERYTHING, ids=lambda kind: kind.__name__)
def test_nothing_is_planned_that_the_world_cannot_suffer(kind: type) -> None:
    for offered in ({kind}, {kind, Requests}, set(EVERYTHING) - {kind}):
        for seed in SEEDS:
            faults = plan(seeded(seed), offered=offered)
            Nemesis(
                faults,
                dict.fromkeys(offered, object()),
                world="x",
                draw=seeded(1),
                record=lambda _f, _value: None,
            ).refuse_what_is_not_offered()


def test_a_world_that_offers_little_still_gets_faults() -> None:
    assert any(plan(seeded(seed), offered={Links}) for seed in SEEDS)
    assert any(plan(seeded(seed), offered={Processes}) for seed in SEEDS)


def test_a_world_that_offers_nothing_gets_none() -> None:
    assert not any(plan(seeded(seed), offered=()) for seed in SEEDS)


def test_what_is_to_be_avoided_is_avoided() -> None:
    avoided = ("broker-lies", "garbage", "kill-client")
    assert occurring(avoid=avoided) == set(FAMILIES) - set(avoided)


def test_a_family_that_there_is_not_cannot_be_avoided() -> None:
    with pytest.raises(ValueError, match="no family 'kil'; there are kill-server, kill-client"):
        plan(benign, avoid=["kil"])


def test_a_time_in_which_nothing_can_happen_is_refused() -> None:
    with pytest.raises(ValueError, match="within 0 s"):
        plan(benign, last_s=0)


def test_where_nobody_is_there_nobody_is_hit() -> None:
    for seed in SEEDS:
        faults = swarm(seeded(seed), links=(), actors=("x",), offered=EVERYTHING, last_s=1.0)
        assert {f.fault.needs for f in faults} <= {Broker, Managers}


def test_the_server_may_be_called_otherwise() -> None:
    said = ""
    for seed in SEEDS:
        said += repr(
            swarm(
                seeded(seed),
                links=("bot->api",),
                actors=("api", "bot"),
                offered=EVERYTHING,
                last_s=1.0,
                server="api",
            )
        )
    assert "Kill(actor='api'" in said
    assert "'*->api'" in said
    assert "dtms" not in said


@given(st.sampled_from(SEEDS), st.data())
def test_leaving_one_fault_out_leaves_the_others_as_they_are(
    seed: int, data: st.DataObject
) -> None:
    draw = Remembered(seed)
    whole = plan(draw)
    happened = [k for k in draw.asked_about(r"swarm fault \d") if seeded(seed)(k) >= 0.5]
    if not whole:
        return
    number = data.draw(st.integers(0, len(whole) - 1))
    rest = plan(Remembered(seed, {happened[number]}))
    assert rest == (*whole[:number], *whole[number + 1 :])


@given(st.sampled_from(SEEDS), st.data())
def test_a_detail_of_one_fault_changes_no_other(seed: int, data: st.DataObject) -> None:
    draw = Remembered(seed)
    whole = plan(draw)
    details = draw.asked_about(r"swarm \S+ \d \w.*")
    if not details:
        return
    other = plan(Remembered(seed, {data.draw(st.sampled_from(details))}))
    assert len(other) == len(whole)
    assert sum(one != another for one, another in zip(whole, other, strict=True)) <= 1


@given(st.sampled_from(SEEDS), st.sampled_from(sorted(FAMILIES)))
def test_without_one_family_faults_of_the_others_are_as_they_were(seed: int, name: str) -> None:
    draw = Remembered(seed)
    whole = plan(draw)
    of_it = {said[1] for key in draw.asked if (said := re.match(rf"swarm {name} (\d) victim", key))}
    other = plan(seeded(seed), avoid=[name])
    if other:
        kept = [n for n in range(len(whole)) if str(numbers(draw, seed)[n]) not in of_it]
        assert all(other[n] == whole[n] for n in kept)


def numbers(draw: Remembered, seed: int) -> list[int]:
    happened = [k for k in draw.asked_about(r"swarm fault \d") if seeded(seed)(k) >= 0.5]
    return [int(key[-1]) for key in happened]


PLAN_3 = [
    {
        "fault": {"fault": "drop-request", "link": "*->dtms", "probability": 0.5},
        "windows": [[1.896, 2.141]],
    },
    {
        "fault": {"fault": "reset", "link": "*->dtms", "after_ms": 279.093},
        "windows": [[0.616, 2.199]],
    },
    {"fault": {"fault": "stall", "link": "desktop->dtms"}, "windows": [[0.64, 2.153]]},
    {
        "fault": {"fault": "slice", "link": "*->dtms", "size_bytes": 1, "gap_ms": 1.0},
        "windows": [[0.789, 2.161]],
    },
]
