"""`python -m scenarios.exploration.apart`: one pickled job on standard input, its result on output.

For workers that cannot play a simulation in their own process; see `workers.Apart`.
"""

from __future__ import annotations

import pickle
import sys

from chaos.parent_death import die_with_parent
from scenarios.exploration.batch import begin_work


def main() -> None:
    die_with_parent()
    begin_work()
    function, args, kwargs = pickle.loads(sys.stdin.buffer.read())
    answer: tuple[Exception | None, object]
    try:
        answer = (None, function(*args, **kwargs))
    except Exception as error:  # noqa: BLE001 - raised again where the result is waited for
        answer = (error, None)
    sys.stdout.buffer.write(pickle.dumps(answer))


if __name__ == "__main__":
    main()
