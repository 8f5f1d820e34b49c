"""`python -m scenarios.exploration.soak`: very many episodes, for hours, over several sittings.

Seed after seed over all scenarios, schedules and fidelities, with swarms and without. Ctrl-C stops;
the same command goes on. Unlike `explore` it does not go after what is new: a seed is always the
same episode, so that two soaks can be compared.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path

from scenarios.exploration.batch import BatchResult, Failure, play_batch, shrink_failure
from scenarios.exploration.frontier import sown
from scenarios.exploration.search import AHEAD, BATCH, SHRUNK_MAX
from scenarios.exploration.seedling import Seedling
from scenarios.exploration.soak_state import SoakState, StateRefused, read_state, write_state
from scenarios.exploration.workers import cores, processes
from scenarios.output import ExitStatus, replace_file
from scenarios.suites import SCENARIOS
from scenarios.worlds.sim.world import Fidelity
from simulator.deterministic.schedule import KINDS

NAMES = tuple(SCENARIOS)
EPISODES = 200_000
ROUNDS: tuple[Fidelity, ...] = (*("message",) * 3, "http") * 4 + (*("message",) * 3, "socket")
"""The fidelity of each round over all scenarios: of 20, 15 with messages, 4 with HTTP, 1 with
sockets. 20 and the number of schedules have no divisor in common, so each meets each."""
PROGRESS_EVERY_S = 5.0

Tell = Callable[[str], None]


def soaked(seed: int, parts: str = "reference") -> Seedling:
    """What a seed plays."""
    turn, place = divmod(seed, len(NAMES))
    seedling = Seedling(NAMES[place], seed, ROUNDS[turn % len(ROUNDS)], swarm=True, parts=parts)
    return sown(seedling, seed, KINDS[turn % len(KINDS)])


@dataclass(frozen=True, slots=True)
class Soak:
    """Plays the seeds below `episodes` that `state_file` does not know to be played.

    The file is written after each batch, in the order of the seeds. At a violation it stays before
    the batch that has it, so that the next soak begins there; with `keep_going` it goes on, and of
    each kind of violation SHRUNK_MAX in one sitting are made small.
    """

    episodes: int
    state_file: Path
    out: Path
    keep_going: bool
    parts: str
    progress_every_s: float
    tell: Tell

    def run(self, executor: Executor, workers: int) -> ExitStatus:
        """Until all is played, or Ctrl-C. Raises `StateRefused`, and `OSError` where a file cannot
        be written; where its folder cannot be made, before anything is played."""
        self.state_file.parent.mkdir(parents=True, exist_ok=True)
        state = read_state(self.state_file)
        began, began_at, told_at = time.monotonic(), state.next_seed, time.monotonic()
        ahead = state.next_seed
        jobs: deque[tuple[list[Seedling], Future[BatchResult]]] = deque()
        shrunk: Counter[tuple[str, str]] = Counter()
        try:
            while state.next_seed < self.episodes:
                while len(jobs) < workers * AHEAD and ahead < self.episodes:
                    end = min(ahead + BATCH, self.episodes)
                    batch = [soaked(seed, self.parts) for seed in range(ahead, end)]
                    jobs.append((batch, executor.submit(play_batch, batch)))
                    ahead = end
                batch, job = jobs.popleft()
                result = job.result()
                for failure in result.failures:
                    key = (failure.seedling.scenario, failure.checker)
                    shrunk[key] += 1
                    if shrunk[key] <= SHRUNK_MAX:
                        self._keep(executor, failure)
                if result.failures and not self.keep_going:
                    self.tell(f"stopped at the first violation, before it: {state.told}")
                    return ExitStatus.VIOLATED
                self._count(state, batch, result)
                write_state(self.state_file, state)
                if time.monotonic() - told_at >= self.progress_every_s:
                    told_at = time.monotonic()
                    rate = (state.next_seed - began_at) / (told_at - began)
                    self.tell(f"{state.told}; {rate:.0f}/s")
        except KeyboardInterrupt:
            self.tell(f"interrupted; the same command goes on: {state.told}")
            return ExitStatus.INCONCLUSIVE
        self.tell(f"{state.told}; {self.state_file}")
        return _status(state)

    def _keep(self, executor: Executor, failure: Failure) -> None:
        small = executor.submit(shrink_failure, failure).result()
        grown = failure.seedling
        name = f"{grown.scenario}-{failure.checker}-{grown.seed}-{grown.fidelity}.json"
        path = self.out / "cases" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, small.case.encode())
        self.tell(f"{small.told}\nreplay: dtms-lab replay {path}")

    def _count(self, state: SoakState, batch: list[Seedling], result: BatchResult) -> None:
        for seedling, why in result.environment:
            self.tell(f"could not play {seedling.scenario} seed {seedling.seed}: {why}")
        played = Counter(state.played)
        played.update(seedling.fidelity for seedling in batch)
        state.played = dict(sorted(played.items()))
        state.failed += len(result.failures)
        state.could_not += len(result.environment)
        state.next_seed = batch[-1].seed + 1


def _status(state: SoakState) -> ExitStatus:
    if state.failed:
        return ExitStatus.VIOLATED
    return ExitStatus.ENVIRONMENT_FAILED if state.could_not else ExitStatus.PASSED


def main() -> int:
    """Exit status: 0 nothing broke; 1 a violation; 2 usage; 3 interrupted; 5 the environment."""
    parser = argparse.ArgumentParser("python -m scenarios.exploration.soak", description=__doc__)
    parser.add_argument("--episodes", type=int, default=EPISODES, help="of all sittings together")
    parser.add_argument("--state", type=Path, help="default: state.json in the folder of --out")
    parser.add_argument("--out", type=Path, default=Path("runs", "soak"))
    parser.add_argument("--workers", type=int, default=cores())
    parser.add_argument("--keep-going", action="store_true", help="do not stop at a violation")
    parser.add_argument("--parts", default="reference", help="module:NAME of other actors")
    parser.add_argument("--progress", type=float, default=PROGRESS_EVERY_S, metavar="SECONDS")
    asked = parser.parse_args()
    if asked.episodes < 1 or asked.workers < 1:
        parser.error("--episodes and --workers must be 1 or more")
    soak = Soak(
        asked.episodes,
        asked.state or asked.out / "state.json",
        asked.out,
        asked.keep_going,
        asked.parts,
        asked.progress,
        _tell,
    )
    try:
        with processes(asked.workers) as pool:
            return soak.run(pool, asked.workers)
    except KeyboardInterrupt:  # a second one, while the workers were ending
        return ExitStatus.INCONCLUSIVE
    except (StateRefused, OSError) as error:
        sys.stderr.write(f"soak: {error}\n")
        return ExitStatus.USAGE


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
