"""A case: one failure as a small file that says all that it takes to play it again.

In the world `sim` a case holds the plan itself, lanes, faults, schedule and choices as data, and
the history that came of it, so that it does not depend on how plans are made from seeds.
"""

from __future__ import annotations

import importlib
import json
import platform
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from chaos.notation import decode_schedule, encode_schedule
from scenarios.checkers import CHECKERS
from scenarios.history import History, HistoryRefused
from scenarios.notation import decode_lanes, encode_lanes
from scenarios.suites import PLAYABLE
from scenarios.targets.spec import TargetRefused, client_target, server_target
from scenarios.trial import run_again
from scenarios.worlds.sim.parts import REFERENCE, Parts
from scenarios.worlds.sim.play import Plan
from scenarios.worlds.sim.world import FIDELITIES, Fidelity
from simulator.deterministic.schedule import KINDS, Kind

SCHEMA = 2
LIBRARIES = ("dtms-lab", "httpx", "aiohttp", "starlette", "uvicorn", "msgspec")


class CaseRefused(ValueError):
    """The file is no case that can be played; the message names the file and what is wrong."""


@dataclass(frozen=True, slots=True)
class Case:
    """A plan of the world `sim`, and what came of it. `verdict` is each checker's word."""

    plan: Plan
    verdict: Mapping[str, str]
    why: str
    digest: str
    history: History

    def encode(self) -> str:
        """The file's text: one line for each operation of the history, and for each choice."""
        parts = (f" {json.dumps(name)}: {_laid_out(told)}" for name, told in self._told().items())
        return "{\n" + ",\n".join(parts) + "\n}\n"

    def _told(self) -> dict[str, object]:
        plan = self.plan
        scenario = plan.scenario
        choices, decisions = plan.choices, plan.decisions
        return {
            "schema": SCHEMA,
            "scenario": scenario.name,
            "world": "sim",
            "fidelity": plan.fidelity,
            "client": plan.client.name,
            "server": plan.server.name,
            "parts": plan.parts.name,
            "seed": plan.seed,
            "schedule": plan.schedule,
            "services": list(scenario.services),
            "checkers": list(scenario.checkers),
            "lanes": None if plan.lanes is None else encode_lanes(plan.lanes),
            "faults": None if plan.faults is None else encode_schedule(plan.faults),
            "decisions": None if decisions is None else _decisions_told(decisions),
            "choices": None if choices is None else dict(sorted(choices.items())),
            "versions": versions(),
            "verdict": dict(self.verdict),
            "why": self.why,
            "digest": self.digest,
            "history": [json.loads(line) for line in self.history.encode().splitlines()],
        }


def read_case(path: Path) -> Case:
    """Raises `CaseRefused`, and `OSError` where the file cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CaseRefused(f"{path} is no case: {error}") from error
    return decode_case(text, str(path))


def decode_case(text: str, path: str = "case") -> Case:
    """What `read_case` does with the text of the file called `path`. Raises `CaseRefused`."""
    try:
        return _case(json.loads(text))
    except (CaseRefused, TargetRefused) as error:
        raise CaseRefused(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError, RecursionError, HistoryRefused) as error:
        what = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise CaseRefused(f"{path} is no case: {what}") from error


def parts_named(name: str) -> Parts:
    """`reference`, or `module:NAME`. Raises `CaseRefused`."""
    if name == REFERENCE.name:
        return REFERENCE
    module, _, attribute = name.partition(":")
    try:
        parts = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise CaseRefused(f"there are no parts {name!r}: {error}") from error
    if not isinstance(parts, Parts):
        raise CaseRefused(f"{name!r} are no parts")
    return parts


def versions() -> dict[str, str]:
    """What a result was got with."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


def _case(told: object) -> Case:
    if not isinstance(told, dict):
        raise ValueError(f"it holds a {type(told).__name__}, not an object")
    world, schema = told["world"], told["schema"]
    if world in {"local", "docker"}:
        raise CaseRefused(_only_real(told))
    if world != "sim":
        raise CaseRefused(f"it was seen in the world {world!r}; only sim can play it again")
    if schema != SCHEMA or type(schema) is not int:
        raise CaseRefused(f"it has schema {schema!r}; this version plays {SCHEMA}")
    return _sim_case(told)


def _only_real(told: dict[str, Any]) -> str:
    names = (str(told.get(name)) for name in ("client", "server"))
    world = str(told["world"])
    again = run_again(world, str(told["scenario"]), told["seed"], *names)
    return (
        f"it was seen in the world {world}, where nothing happens twice alike; "
        f"run it again with: {again}"
    )


def _sim_case(told: dict[str, Any]) -> Case:
    name, seed = _known(told["scenario"], PLAYABLE, "scenario"), told["seed"]
    if type(seed) is not int:
        raise CaseRefused(f"the seed is a whole number, not {seed!r}")
    checkers = [_known(checker, CHECKERS, "checker") for checker in _strings(told["checkers"])]
    services = _strings(told["services"])
    if not services:
        raise CaseRefused("it has no services")
    scenario = replace(PLAYABLE[name], services=tuple(services), checkers=tuple(checkers))
    plan = Plan(
        scenario=scenario,
        seed=seed,
        fidelity=cast(Fidelity, _known(told["fidelity"], FIDELITIES, "fidelity")),
        schedule=cast(Kind, _known(told["schedule"], KINDS, "schedule")),
        lanes=None if told["lanes"] is None else decode_lanes(told["lanes"]),
        faults=None if told["faults"] is None else decode_schedule(told["faults"]),
        decisions=None if told["decisions"] is None else _decisions(told["decisions"]),
        choices=None if told["choices"] is None else _choices(told["choices"]),
        parts=parts_named(str(told["parts"])),
        client=client_target(str(told["client"])),
        server=server_target(str(told["server"])),
    )
    lines = "".join(json.dumps(op) + "\n" for op in _list(told["history"]))
    return Case(
        plan,
        _words(told["verdict"]),
        str(told["why"]),
        str(told["digest"]),
        History.decode(lines.encode(), "history"),
    )


def _laid_out(told: object) -> str:
    """JSON with a line for each member, where there are several."""
    if isinstance(told, list) and told:
        return "[\n" + ",\n".join(f"  {json.dumps(member)}" for member in told) + "\n ]"
    if isinstance(told, dict) and told:
        members = (f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in told.items())
        return "{\n" + ",\n".join(members) + "\n }"
    return json.dumps(told)


def _decisions_told(decisions: Mapping[str, Mapping[int, int]]) -> dict[str, dict[str, int]]:
    return {
        process: {str(nth): places for nth, places in sorted(about.items())}
        for process, about in sorted(decisions.items())
        if about
    }


def _decisions(told: object) -> dict[str, dict[int, int]]:
    decisions: dict[str, dict[int, int]] = {}
    for process, about in _object(told).items():
        made = decisions[process] = {}
        for nth, places in _object(about).items():
            if type(places) is not int or places < 0:
                raise CaseRefused(f"{places!r} places for callback {nth} of {process}")
            made[int(nth)] = places
    return decisions


def _choices(told: object) -> dict[str, float]:
    choices: dict[str, float] = {}
    for key, value in _object(told).items():
        if not isinstance(value, int | float) or not 0 <= value < 1:
            raise CaseRefused(f"the choice {key!r} is at least 0 and less than 1, not {value!r}")
        choices[key] = value
    return choices


def _words(told: object) -> dict[str, str]:
    about = _object(told)
    return dict(zip(about, _strings(list(about.values())), strict=True))


def _known(name: object, names: Collection[str], what: str) -> str:
    if not isinstance(name, str) or name not in names:
        raise CaseRefused(f"there is no {what} {str(name)[:40]!r}")
    return name


def _object(told: object) -> dict[str, object]:
    if not isinstance(told, dict):
        raise CaseRefused(f"{str(told)[:40]} is no object")
    return told


def _list(told: object) -> list[object]:
    if not isinstance(told, list):
        raise CaseRefused(f"{str(told)[:40]} is no list")
    return told


def _strings(told: object) -> list[str]:
    for member in (members := _list(told)):
        if not isinstance(member, str):
            raise CaseRefused(f"{str(member)[:40]} is no text")
    return cast(list[str], members)
