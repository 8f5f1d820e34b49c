"""Serves a server target's application: `asgi_server.py LOCATION PORT DATA_DIR BROKER REGISTRY`.

The factory is called once, at the start of the process, with as much as it takes of the data
folder, the broker's URL and that of the main API with the trade registry; both are empty in
scenarios that do without. The lab starts, kills and restarts this process. It is run as a file, so
that a target's own packages may have the names of the lab's. It ends with status REFUSED of the
shim where there is no factory that can be called so, or no ASGI application.
"""

from __future__ import annotations

import inspect
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn

MISTAKEN = "; is it the application, not its factory?"
SHIM = Path(__file__).with_name("shim.py")


def main() -> int:
    shim = runpy.run_path(str(SHIM))
    shim["leave_own_folder"]()
    refuse = shim["refuse"]
    location, port, data_dir, *rest = sys.argv[1:]
    try:
        factory = shim["load"](location)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a module raises
        return int(refuse(shim["not_imported"](error)))
    given = arguments(factory, data_dir, *rest)
    why = shim["why_not_called"](factory, given, {})
    if why:
        return int(refuse(why + (MISTAKEN if is_application(factory) else "")))
    app = factory(*given)
    if inspect.iscoroutine(app):
        app.close()
    if not is_application(app):
        # An application takes three as well, and answers with a coroutine.
        hint = MISTAKEN if len(given) == 3 and inspect.iscoroutine(app) else ""
        return int(refuse(f"returns no ASGI application but a {type(app).__name__}{hint}"))
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning", access_log=False)
    return 0


def arguments(
    factory: Callable[..., Any], data_dir: str, broker_url: str = "", registry_url: str = ""
) -> tuple[str, ...]:
    """What the factory is called with: as much as it takes, but for URLs that are empty where it
    can do without."""
    given = (data_dir, broker_url, registry_url)
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        return given[:1]
    count = next((n for n in (3, 2) if _takes(signature, n)), 1)
    while count > 1 and not given[count - 1] and _takes(signature, count - 1):
        count -= 1
    return given[:count]


def is_application(made: Any) -> bool:
    """Whether it can be called with scope, receive and send, or, as was usual, with a scope."""
    if not callable(made):
        return False
    try:
        signature = inspect.signature(made)
    except (TypeError, ValueError):  # some that are built in do not tell
        return True
    return _takes(signature, 3) or _takes(signature, 1)


def _takes(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
