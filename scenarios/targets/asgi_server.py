"""Serves a server target's ASGI application: `asgi_server LOCATION PORT DATA_DIR BROKER REGISTRY`.

The factory is called once, at the start of the process, with as much as it takes of the data
folder, the broker's URL and that of the main API with the trade registry; both are empty in
scenarios that do without. The lab starts, kills and restarts this process.
"""

from __future__ import annotations

import inspect
import sys

import uvicorn

from scenarios.targets.shim import load


def main() -> int:
    location, port, data_dir, *rest = sys.argv[1:]
    factory = load(location)
    arguments = [data_dir, *rest][: len(inspect.signature(factory).parameters)]
    app = factory(*arguments)
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning", access_log=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
