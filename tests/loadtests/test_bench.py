"""The benchmarks' command, and the episode that the simulation is measured by."""

import pytest
from typer.testing import CliRunner

from loadtests.bench import parts
from loadtests.bench.figure import Figure
from loadtests.bench.sim import CRASH, TRADES, Tally, at_production
from loadtests.cli import app
from scenarios.worlds.sim.play import Plan, play


def bench(*words: str):
    return CliRunner().invoke(app, ["bench", *words])


@pytest.fixture
def measured(monkeypatch):
    """Stands for every part."""

    def measure() -> tuple[Figure, ...]:
        return Figure("kept", 1.0, "s", 2.0), Figure("open", 3.0, "ms")

    monkeypatch.setattr(parts, "PARTS", {"sim": measure})


def test_a_part_that_does_not_exist_is_a_usage_error() -> None:
    told = bench("speed")
    assert told.exit_code == 2
    assert "core, server, sim, checker, proxy, postgres" in told.output


def test_figures_are_one_json_object(measured) -> None:
    told = bench("sim", "--json")
    assert told.exit_code == 0
    assert told.stdout == (
        '{"kept": {"value": 1.0, "unit": "s"}, "open": {"value": 3.0, "unit": "ms"}}\n'
    )


def test_a_missed_bound_has_its_own_status(monkeypatch) -> None:
    monkeypatch.setattr(parts, "PARTS", {"sim": lambda: (Figure("late", 3.0, "s", 2.0),)})
    assert bench().exit_code == 4


def test_the_other_commands_are_there() -> None:
    assert "check" in CliRunner().invoke(app, ["--help"]).output


@pytest.mark.parametrize("fidelity", ["message", "http"])
def test_the_measured_episode_is_what_it_promises(fidelity) -> None:
    history = play(Plan(CRASH, 3, fidelity, "random")).history
    assert len(history.notes("execute", "broker")) == TRADES
    assert [op.get("actor") for op in history.notes("kill", "world")] == ["dtms"]
    assert any(call.ended != "ok" for call in history.calls("enable", service="wire"))


@pytest.mark.parametrize("scenario", [CRASH, at_production(CRASH)], ids=lambda s: s.name)
def test_it_is_valid_at_every_pace(scenario) -> None:
    tally = Tally()
    tally.play(scenario, "message", range(3))
    assert (tally.episodes, tally.requests > 3 * 2 * TRADES) == (3, True)
