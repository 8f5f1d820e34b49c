"""How the server is started: the command line over the environment over `dtms_config.json`."""

from __future__ import annotations

import argparse
import ipaddress
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CONFIG_FILE = "dtms_config.json"


class SettingsError(ValueError):
    """One sentence: which setting, what was given, what is allowed."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Secrets never show in a representation."""

    host: str
    port: int
    data_dir: Path
    broker_url: str | None
    registry_url: str | None
    api_key: str | None = field(repr=False)
    lab_token: str | None = field(repr=False)
    database_url: str | None = field(repr=False)
    lab_faults: tuple[Mapping[str, object], ...]
    monitoring_interval_s: float
    metrics: bool
    rate_limit: bool


def read(argv: Sequence[str], environ: Mapping[str, str], folder: Path) -> Settings:
    """Raises `SettingsError`; usage errors end the process with status 2, as everywhere."""
    flags = _parser().parse_args(argv)
    values = _file(folder / CONFIG_FILE) | {
        name: value for name, value in environ.items() if name in _KNOWN
    }

    def value(flag: object, name: str, default: object) -> object:
        return flag if flag is not None else values.get(name, default)

    host = str(value(flags.host, "DTMS_API_HOST", "127.0.0.1"))
    token = value(flags.lab_token, "DTMS_LAB_TOKEN", None)
    if token:
        check_control_plane(host, published_on_loopback=flags.published_on_loopback)
    if flags.lab_faults and not token:
        raise SettingsError("--lab-faults needs a token: --lab-token or DTMS_LAB_TOKEN")
    return Settings(
        host=host,
        port=_whole("DTMS_API_PORT", value(flags.port, "DTMS_API_PORT", 8001), 0, 65535),
        data_dir=Path(flags.data_dir),
        broker_url=_url("--broker-url", flags.broker_url),
        registry_url=_url("--registry-url", flags.registry_url),
        api_key=_text(value(flags.api_key, "DTMS_API_KEY", None)),
        lab_token=_text(token),
        database_url=_database_url(values.get("DTMS_DATABASE_URL")),
        lab_faults=_faults(flags.lab_faults),
        monitoring_interval_s=_seconds(
            "DTMS_MONITORING_INTERVAL",
            value(flags.monitoring_interval, "DTMS_MONITORING_INTERVAL", 30),
        ),
        metrics=_switch("DTMS_ENABLE_METRICS", values.get("DTMS_ENABLE_METRICS", True)),
        rate_limit=not flags.no_rate_limit
        and _switch("DTMS_RATE_LIMIT_ENABLED", values.get("DTMS_RATE_LIMIT_ENABLED", True)),
    )


def check_control_plane(host: str, *, published_on_loopback: bool) -> None:
    """Raises `SettingsError` where others than this machine's could reach the control plane. In a
    container the address does not tell: there whoever publishes the port says so."""
    if not published_on_loopback and not _is_loopback(host):
        raise SettingsError(f"the control plane is for loopback only, and the host is {host}")


_KNOWN = frozenset(
    {
        "DTMS_API_HOST",
        "DTMS_API_PORT",
        "DTMS_API_KEY",
        "DTMS_RETRY_COUNT",
        "DTMS_TIMEOUT",
        "DTMS_MONITORING_INTERVAL",
        "DTMS_ENABLE_METRICS",
        "DTMS_RATE_LIMIT_ENABLED",
        "DTMS_USE_API_FALLBACK",
        "DTMS_DISABLE_LOCAL_INIT",
        "DTMS_LAB_TOKEN",
        "DTMS_DATABASE_URL",
        "DTMS_OUTBOX_URL",
    }
)
"""The file is shared with clients, whose settings are allowed in it and mean nothing here."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="simulator", description="The simulated DTMS API.")
    add = parser.add_argument
    add("--host", help="where to listen [DTMS_API_HOST, 127.0.0.1]")
    add("--port", help="0 takes a free one and logs it [DTMS_API_PORT, 8001]")
    add("--data-dir", default="dtms-data", help="folder of the store [dtms-data]")
    add("--broker-url", help="the broker; without one nothing is ever closed by the monitor")
    add("--registry-url", help="the main API's trade registry")
    add("--api-key", help="key that changes must carry [DTMS_API_KEY, none]")
    add("--lab-token", help="opens the control plane under /_lab [DTMS_LAB_TOKEN, closed]")
    add(
        "--published-on-loopback",
        action="store_true",
        help="this is a container, and its port is published on 127.0.0.1 only",
    )
    add("--lab-faults", help="JSON list of faults in force from the start")
    add("--monitoring-interval", help="seconds [DTMS_MONITORING_INTERVAL, 30]")
    add("--no-rate-limit", action="store_true", help="[DTMS_RATE_LIMIT_ENABLED]")
    return parser


def _file(path: Path) -> dict[str, object]:
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{path} must hold a JSON object")
    unknown = sorted(set(content) - _KNOWN)
    if unknown:
        raise SettingsError(f"{path} has no setting called {unknown[0]}")
    return content


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _whole(name: str, value: object, low: int, high: int) -> int:
    text = str(value)
    if not isinstance(value, bool) and text.isascii() and text.isdigit() and len(text) < 10:
        number = int(text)
        if low <= number <= high:
            return number
    raise SettingsError(f"{name} is {value!r}; it must be a whole number from {low} to {high}")


def _seconds(name: str, value: object) -> float:
    low, high = 0.05, 86_400.0
    try:
        number = float(str(value))
    except ValueError:
        number = -1.0
    if low <= number <= high:
        return number
    raise SettingsError(f"{name} is {value!r}; it must be seconds from {low:g} to {high:g}")


def _switch(name: str, value: object) -> bool:
    switches: dict[str, bool] = {"1": True, "true": True, "yes": True, "on": True}
    switches |= {"0": False, "false": False, "no": False, "off": False}
    text = str(value).strip().lower()
    if text not in switches:
        raise SettingsError(f"{name} is {value!r}; it must be true or false")
    return switches[text]


def _text(value: object) -> str | None:
    return str(value) if value else None


def _url(name: str, value: str | None) -> str | None:
    if value is None or value.startswith("http://"):
        return value.rstrip("/") if value else None
    raise SettingsError(f"{name} is {value!r}; it must begin with http://")


def _database_url(value: object) -> str | None:
    """The value is never shown: it may hold a password."""
    if value is None or value == "":
        return None
    if not str(value).startswith(("postgresql://", "postgres://")):
        raise SettingsError("DTMS_DATABASE_URL must begin with postgresql://")
    try:
        from psycopg import Error
        from psycopg.conninfo import conninfo_to_dict
    except ImportError as error:
        raise SettingsError(
            "DTMS_DATABASE_URL needs psycopg: pip install 'dtms-lab[postgres]'"
        ) from error
    try:
        conninfo_to_dict(str(value))
    except Error:
        sentence = (
            "DTMS_DATABASE_URL is no address of a database: postgresql://USER:PASSWORD@HOST/DB"
        )
        raise SettingsError(sentence) from None
    return str(value)


def _faults(text: str | None) -> tuple[Mapping[str, object], ...]:
    if text is None:
        return ()
    reader: Callable[[str], object] = json.loads
    try:
        faults = reader(text)
    except ValueError as error:
        raise SettingsError(f"--lab-faults is not JSON: {error}") from error
    if not isinstance(faults, list) or not all(isinstance(fault, dict) for fault in faults):
        raise SettingsError("--lab-faults must be a JSON list of objects")
    return tuple(faults)
