"""`python -m chaos.toxiproxy`: the embedded Toxiproxy as a program, for any client of its API."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from chaos.toxiproxy.embedded import EmbeddedToxiproxy

USUAL_PORT = 8474
PORTS = 65_536


def main() -> int:
    """Serves until SIGINT or SIGTERM. Status 5 where the port is taken."""
    words = argparse.ArgumentParser(prog="python -m chaos.toxiproxy", description=__doc__)
    words.add_argument("--port", type=int, default=USUAL_PORT, help="of the API; 0 for a free one")
    words.add_argument("--seed", type=int, default=0, help="of toxicity, jitter and slices")
    words.add_argument(
        "--allow-remote", action="store_true", help="proxies may listen and lead beyond loopback"
    )
    said = words.parse_args()
    if not 0 <= said.port < PORTS:
        words.error(f"--port {said.port}: must be 0 to {PORTS - 1}")
    try:
        asyncio.run(_serve(said.port, said.seed, said.allow_remote))
    except OSError as error:
        print(f"The API cannot listen on port {said.port}: {error}", file=sys.stderr)  # noqa: T201
        return 5
    return 0


async def _serve(port: int, seed: int, allow_remote: bool) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    async with EmbeddedToxiproxy(port=port, seed=seed, allow_remote=allow_remote) as server:
        print(f"Toxiproxy's API is served at {server.url}", flush=True)  # noqa: T201
        await ended.wait()


if __name__ == "__main__":
    sys.exit(main())
