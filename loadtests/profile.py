"""Where the CPU time of a simulated episode goes, by layer: `python -m loadtests.profile http`.

A statistical profile: at each tick of CPU time the innermost frame that belongs to a layer is
counted, so that what a layer does in the standard library or in C counts as its own.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass
from types import FrameType
from typing import get_args

from loadtests.bench.sim import CRASH, Tally
from scenarios.worlds.sim.world import Fidelity

EPISODES: dict[Fidelity, int] = {"message": 1_000, "http": 600, "socket": 200}
WARM_UP = 30
TICK_S = 0.001
"""Asked for; kernels give a tick every 4 ms or so."""

LAYERS: tuple[tuple[str, str], ...] = (
    ("simulator.deterministic.network", "network"),
    ("simulator.deterministic.sockets", "network"),
    ("simulator.deterministic.disk", "disks, outbox and store"),
    ("simulator.deterministic.store", "disks, outbox and store"),
    ("scenarios.worlds.sim.outbox", "disks, outbox and store"),
    ("simulator.deterministic", "event loop and processes"),
    ("scenarios.worlds.sim.deadlines", "network"),
    ("scenarios.worlds.sim.client", "network"),
    ("scenarios.worlds.sim.message_", "network"),
    ("scenarios.worlds.sim.servers", "network"),
    ("scenarios.worlds.sim.socket_", "network"),
    ("scenarios.worlds.sim.http_server", "network"),
    ("scenarios.worlds.sim.collector", "garbage collection"),
    ("scenarios.worlds.wire", "history"),
    ("scenarios.history", "history"),
    ("scenarios.checkers", "checkers"),
    ("scenarios.evidence", "checkers"),
    ("scenarios.linearizability", "checkers"),
    ("scenarios.verdict", "checkers"),
    ("scenarios", "episode, workload and world"),
    ("chaos", "network"),
    ("core", "core"),
    ("simulator", "server"),
    ("httpx", "HTTP libraries"),
    ("httpcore", "HTTP libraries"),
    ("h11", "HTTP libraries"),
    ("anyio", "HTTP libraries"),
    ("sniffio", "HTTP libraries"),
    ("aiohttp", "HTTP libraries"),
    ("aiohappyeyeballs", "HTTP libraries"),
    ("yarl", "HTTP libraries"),
    ("uvicorn", "HTTP libraries"),
)
"""Modules that begin so belong to that layer; the first that fits counts."""
ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Profile:
    """`shares` of all samples by layer, the largest first; `line_share` is that of the single line
    of code that was seen most, `line`."""

    fidelity: Fidelity
    episodes_per_cpu_s: float
    samples: int
    shares: tuple[tuple[str, float], ...]
    line: str
    line_share: float


class Sampler:
    """Counts, at each tick, which layer is at work. In the main thread only."""

    def __init__(self) -> None:
        self.layers: Counter[str] = Counter()
        self.lines: Counter[str] = Counter()

    def __enter__(self) -> Sampler:
        self._before = signal.signal(signal.SIGPROF, self._tick)
        signal.setitimer(signal.ITIMER_PROF, TICK_S, TICK_S)
        return self

    def __exit__(self, *_exc: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, self._before)

    def _tick(self, _signal: int, frame: FrameType | None) -> None:
        if frame is not None:
            self.lines[f"{frame.f_code.co_qualname}:{frame.f_lineno}"] += 1
        while frame is not None:
            if (layer := layer_of(frame.f_globals.get("__name__", ""))) is not None:
                self.layers[layer] += 1
                return
            frame = frame.f_back
        self.layers[ELSEWHERE] += 1


def layer_of(module: str) -> str | None:
    """The layer that a module belongs to; None for what works on another's behalf."""
    return next((layer for beginning, layer in LAYERS if module.startswith(beginning)), None)


def profile(fidelity: Fidelity, episodes: int) -> Profile:
    """Plays and judges the benchmark's episode so many times. Raises `ValueError` where that was
    over before a tick came."""
    Tally().play(CRASH, fidelity, range(WARM_UP))
    sampler, began = Sampler(), time.process_time()
    with sampler:
        Tally().play(CRASH, fidelity, range(WARM_UP, WARM_UP + episodes))
    cpu_s = time.process_time() - began
    samples = sampler.layers.total()
    if not samples:
        raise ValueError(f"{episodes} episodes are too few to see anything")
    ((line, seen),) = sampler.lines.most_common(1)
    shares = tuple((layer, count / samples) for layer, count in sampler.layers.most_common())
    return Profile(fidelity, episodes / cpu_s, samples, shares, line, seen / samples)


def told(found: Profile) -> str:
    """A table, microseconds for each episode beside the shares."""
    us = 1e6 / found.episodes_per_cpu_s
    return "\n".join(
        (
            f"{found.fidelity}: {found.episodes_per_cpu_s:.0f} episodes per CPU second while "
            f"profiled, {found.samples} samples",
            *(f"{layer:<28} {share:6.1%} {share * us:8.0f} us" for layer, share in found.shares),
            f"the costliest line, {found.line}, has {found.line_share:.1%}",
        )
    )


def main() -> None:
    """Profiles the fidelities that are named, all for none."""
    words = argparse.ArgumentParser(prog="python -m loadtests.profile", description=__doc__)
    words.add_argument("fidelity", nargs="*", help=", ".join(get_args(Fidelity)) + "; default: all")
    words.add_argument("--episodes", type=int, help="default: some seconds of them")
    asked = words.parse_args()
    for name in asked.fidelity:
        if name not in EPISODES:
            words.error(f"there is no fidelity {name!r}; there are {', '.join(EPISODES)}")
    if asked.episodes is not None and asked.episodes < 1:
        words.error("at least one episode is needed")
    try:
        for fidelity in asked.fidelity or EPISODES:
            print(told(profile(fidelity, asked.episodes or EPISODES[fidelity])), flush=True)
    except ValueError as error:
        words.error(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
