"""Settings: defaults, a JSON file over them, the environment on top; a bad value is refused."""

from __future__ import annotations

import ipaddress
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

HOSTNAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*\Z")
TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})


class SettingsError(ValueError):
    """One sentence: which setting, what was given, what is allowed."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How a registration is driven. Times in seconds; the values are the contract's.

    `retries` follow a first attempt; `deadline_s` bounds one drive; `resume_interval_s` is how
    often pending intents are looked after; `budget_ratio` and `budget_min` bound retries over a
    minute.
    """

    retries: int = 3
    base_s: float = 1.0
    factor: float = 2.0
    cap_s: float = 30.0
    timeout_s: float = 5.0
    deadline_s: float = 60.0
    breaker_threshold: int = 5
    breaker_cooldown_s: float = 30.0
    gate_cache_s: float = 1.5
    resume_interval_s: float = 5.0
    budget_ratio: float = 0.1
    budget_min: int = 3
    verify: bool = True
    pool_connections: int = 10
    pool_keepalive: int = 5

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> Policy:
        """The default policy with some values replaced. Raises `SettingsError`."""
        known = {f.name: f for f in fields(cls)}
        taken: dict[str, object] = {}
        for name, value in values.items():
            if name not in known:
                raise SettingsError(f"policy has no {name!r}; it has {', '.join(known)}")
            if name not in _POLICY_BOUNDS:
                if not isinstance(value, bool):
                    raise SettingsError(f"policy {name} is {value!r}; it must be true or false")
            else:
                _check_bounds(name, value, whole=isinstance(known[name].default, int))
            taken[name] = value
        return replace(cls(), **taken)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the API is and how it is used. `outbox_url` is the database of the outbox, None for a
    file. Neither it nor `api_key` shows in a representation: they are secrets."""

    host: str = "127.0.0.1"
    port: int = 8001
    api_key: str | None = field(default=None, repr=False)
    monitoring_interval_s: float = 30.0
    enable_metrics: bool = True
    rate_limit_enabled: bool = True
    use_api_fallback: bool = True
    disable_local_init: bool = True
    outbox_url: str | None = field(default=None, repr=False)
    policy: Policy = Policy()

    @property
    def api_url(self) -> str:
        """Without a slash at its end."""
        return _url(self.host, self.port)


def load(environ: Mapping[str, str], file: Path | None = None) -> Settings:
    """The settings of `environ` over those of `file`, which may be absent.

    Raises `SettingsError` for a value that cannot be meant.
    """
    given: dict[str, object] = dict(_read(file)) if file is not None else {}
    given.update({name: environ[name] for name in _READERS if name in environ})
    values = {name: _READERS[name](name, value) for name, value in given.items()}
    driven = {
        _POLICY_FIELDS[name]: value for name, value in values.items() if name in _POLICY_FIELDS
    }
    policy = Policy.from_mapping(driven)
    named = {_FIELDS[name]: value for name, value in values.items() if name in _FIELDS}
    return replace(Settings(policy=policy), **named)  # type: ignore[arg-type]


def _read(file: Path) -> Mapping[str, object]:
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{file} must hold a JSON object")
    unknown = sorted(set(content) - set(_READERS))
    if unknown:
        raise SettingsError(f"{file} has no setting called {unknown[0]}")
    return content


def _check_bounds(name: str, value: object, *, whole: bool) -> None:
    low, high = _POLICY_BOUNDS[name]
    kinds = int if whole else int | float
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        allowed = f"it must be {kind} from {low:g} to {high:g}"
        raise SettingsError(f"policy {name} is {value!r}; {allowed}")


def _url(host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


def _host(name: str, value: object) -> str:
    if isinstance(value, str):
        try:
            return str(ipaddress.ip_address(value))
        except ValueError:
            # Nothing but numbers and dots is an address, and this one is mistyped.
            if HOSTNAME.match(value) and not value.rpartition(".")[2].isdigit():
                return value
    raise SettingsError(f"{name} is {value!r}; it must be a host name or an IP address")


def _whole(low: int, high: int) -> Callable[[str, object], int]:
    def read(name: str, value: object) -> int:
        text = str(value).strip()
        if re.fullmatch(r"[0-9]{1,9}", text) and low <= int(text) <= high:
            return int(text)
        raise SettingsError(f"{name} is {value!r}; it must be a whole number from {low} to {high}")

    return read


def _seconds(low: float, high: float) -> Callable[[str, object], float]:
    def read(name: str, value: object) -> float:
        try:
            text = str(value)
            number = math.nan if "_" in text else float(text)
        except ValueError:
            number = math.nan
        if math.isfinite(number) and low <= number <= high:
            return number
        raise SettingsError(f"{name} is {value!r}; it must be seconds from {low:g} to {high:g}")

    return read


def _switch(name: str, value: object) -> bool:
    text = str(value).strip().lower()
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise SettingsError(f"{name} is {value!r}; it must be true or false")


def _key(name: str, value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isascii() and value.isprintable() and len(value) <= 512:
        return value
    # The value is not shown: it may be a mistyped secret.
    raise SettingsError(f"{name} must be at most 512 printable ASCII characters")


def _database(name: str, value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.startswith(("postgresql://", "postgres://")):
        return value
    # The value is not shown: it may hold a password.
    raise SettingsError(f"{name} must begin with postgresql://")


_READERS: dict[str, Callable[[str, object], object]] = {
    "DTMS_API_HOST": _host,
    "DTMS_API_PORT": _whole(1, 65535),
    "DTMS_API_KEY": _key,
    "DTMS_RETRY_COUNT": _whole(0, 100),
    "DTMS_TIMEOUT": _seconds(0.01, 600.0),
    "DTMS_MONITORING_INTERVAL": _seconds(0.05, 86_400.0),
    "DTMS_ENABLE_METRICS": _switch,
    "DTMS_RATE_LIMIT_ENABLED": _switch,
    "DTMS_USE_API_FALLBACK": _switch,
    "DTMS_DISABLE_LOCAL_INIT": _switch,
    "DTMS_OUTBOX_URL": _database,
    "DTMS_DATABASE_URL": _database,
}

_POLICY_FIELDS = {"DTMS_RETRY_COUNT": "retries", "DTMS_TIMEOUT": "timeout_s"}

_FIELDS = {
    "DTMS_API_HOST": "host",
    "DTMS_API_PORT": "port",
    "DTMS_API_KEY": "api_key",
    "DTMS_MONITORING_INTERVAL": "monitoring_interval_s",
    "DTMS_ENABLE_METRICS": "enable_metrics",
    "DTMS_RATE_LIMIT_ENABLED": "rate_limit_enabled",
    "DTMS_USE_API_FALLBACK": "use_api_fallback",
    "DTMS_DISABLE_LOCAL_INIT": "disable_local_init",
    "DTMS_OUTBOX_URL": "outbox_url",
}

_POLICY_BOUNDS: dict[str, tuple[float, float]] = {
    "retries": (0, 100),
    "base_s": (0, 3_600),
    "factor": (1, 100),
    "cap_s": (0, 3_600),
    "timeout_s": (0.001, 600),
    "deadline_s": (0.001, 86_400),
    "breaker_threshold": (1, 1_000_000),
    "breaker_cooldown_s": (0, 86_400),
    "gate_cache_s": (0, 3_600),
    "resume_interval_s": (0.001, 3_600),
    "budget_ratio": (0, 100),
    "budget_min": (0, 1_000_000),
    "pool_connections": (1, 10_000),
    "pool_keepalive": (0, 10_000),
}
