"""The reference registration core: puts executed trades under DTMS protection, whatever fails.

Most services need only `register_trade_with_dtms_api` and `auto_register_dtms`; one that puts
its own core together uses `Core` in its loop, or `Bridge` around it.
"""

from core.bridge import Accepted, Bridge
from core.errors import NotSent, OutboxFailed, RegistrationError, TradeRefused, Unanswered
from core.helper import auto_register_dtms, register_trade_with_dtms_api
from core.outcome import Closed, Conflict, Outcome, Pending, Registered, Rejected
from core.production import Core
from core.settings import Policy, Settings, SettingsError
from core.trade import Direction, Trade, normalise

__all__ = [
    "Accepted",
    "Bridge",
    "Closed",
    "Conflict",
    "Core",
    "Direction",
    "NotSent",
    "OutboxFailed",
    "Outcome",
    "Pending",
    "Policy",
    "Registered",
    "RegistrationError",
    "Rejected",
    "Settings",
    "SettingsError",
    "Trade",
    "TradeRefused",
    "Unanswered",
    "auto_register_dtms",
    "normalise",
    "register_trade_with_dtms_api",
]
