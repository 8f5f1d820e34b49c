"""Registration clients of a project that uses the plugin: one that is right, and some that are not.

Copied into the project under test; the standard library is all they need.
"""

import json
import random
import time
import urllib.error
import urllib.request

AGAIN = (408, 425, 429)


def right(ticket, trade, retry_count=3, timeout=5.0, api_url=""):
    """Tries again what may have failed, and knows what it does not know."""
    for attempt in range(retry_count + 1):
        if attempt:
            time.sleep(random.uniform(0.2, 0.3) * 2**attempt)
        try:
            return send(ticket, trade, timeout, api_url)
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code not in AGAIN:
                return False
        except (OSError, ValueError):
            pass
    return None


def lost_is_failed(ticket, trade, retry_count=3, timeout=5.0, api_url=""):
    """Takes an answer that it did not get for a no."""
    try:
        return send(ticket, trade, timeout, api_url)
    except (OSError, ValueError):
        return False


def refused_is_final(ticket, trade, retry_count=3, timeout=5.0, api_url=""):
    """Tries again only what it had a connection for."""
    try:
        return right_unless_refused(ticket, trade, retry_count, timeout, api_url)
    except ConnectionRefusedError:
        return False


def right_unless_refused(ticket, trade, retry_count, timeout, api_url):
    for _attempt in range(retry_count + 1):
        try:
            return send(ticket, trade, timeout, api_url)
        except urllib.error.URLError as error:
            if isinstance(error.reason, ConnectionRefusedError):
                raise error.reason from error
    return None


def stubborn(ticket, trade, retry_count=3, timeout=5.0, api_url=""):
    """Sends again at once, whatever it is told."""
    for _attempt in range(20):
        try:
            return send(ticket, trade, timeout, api_url)
        except (OSError, ValueError):
            pass
    return None


def send(ticket, trade, timeout, api_url):
    given = {"ticket": ticket, "entry": trade["entry_price"], **trade}
    request = urllib.request.Request(
        f"{api_url}/dtms/trade/enable",
        json.dumps(given).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        if json.load(answer).get("success") is not True:
            raise ValueError("not a success")
        return True
