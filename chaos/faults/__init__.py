"""Every fault there is, one to a file."""

from chaos.faults.answer_for import AnswerFor
from chaos.faults.bandwidth import Bandwidth
from chaos.faults.broker_fault import BrokerFault
from chaos.faults.corrupt_store import CorruptStore
from chaos.faults.cpu_limit import CpuLimit
from chaos.faults.crash_at import CrashAt
from chaos.faults.database_trouble import DatabaseTrouble
from chaos.faults.delay_attempt import DelayAttempt
from chaos.faults.disconnect import Disconnect
from chaos.faults.disk_trouble import DiskTrouble
from chaos.faults.down import Down
from chaos.faults.drop_answer import DropAnswer
from chaos.faults.drop_request import DropRequest
from chaos.faults.duplicate_request import DuplicateRequest
from chaos.faults.fail_first import FailFirst
from chaos.faults.garbage import Garbage
from chaos.faults.half_open import HalfOpen
from chaos.faults.kill import Kill
from chaos.faults.latency import Latency
from chaos.faults.limit import Limit
from chaos.faults.manager_fault import ManagerFault
from chaos.faults.memory_limit import MemoryLimit
from chaos.faults.pause import Pause
from chaos.faults.power_loss import PowerLoss
from chaos.faults.refuse import Refuse
from chaos.faults.reset import Reset
from chaos.faults.restart import Restart
from chaos.faults.second_instance import SecondInstance
from chaos.faults.server_fault import ServerFault
from chaos.faults.slice import Slice
from chaos.faults.stall import Stall
from chaos.faults.toxify import Toxify
from chaos.faults.trickle import Trickle
from chaos.faults.truncate import Truncate
from chaos.faults.wrong_echo import WrongEcho

__all__ = [
    "AnswerFor",
    "Bandwidth",
    "BrokerFault",
    "CorruptStore",
    "CpuLimit",
    "CrashAt",
    "DatabaseTrouble",
    "DelayAttempt",
    "Disconnect",
    "DiskTrouble",
    "Down",
    "DropAnswer",
    "DropRequest",
    "DuplicateRequest",
    "FailFirst",
    "Garbage",
    "HalfOpen",
    "Kill",
    "Latency",
    "Limit",
    "ManagerFault",
    "MemoryLimit",
    "Pause",
    "PowerLoss",
    "Refuse",
    "Reset",
    "Restart",
    "SecondInstance",
    "ServerFault",
    "Slice",
    "Stall",
    "Toxify",
    "Trickle",
    "Truncate",
    "WrongEcho",
]
