"""A program that speaks HTTP badly: `rude_server.py PORT MANNER [healthy]`.

With `healthy` it answers GET /dtms/health as it must, and only the rest in its manner.
"""

import json
import socketserver
import sys
import time
from itertools import count

MANNER = sys.argv[2]
HEALTHY = sys.argv[3:] == ["healthy"]
HEALTH = json.dumps(
    {
        "dtms_initialized": True,
        "monitoring_active": True,
        "active_trades": 0,
        "ready": True,
        "timestamp": "2030-01-07T09:00:00Z",
    }
).encode()


def told(body):
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + body


def rubbish():
    yield b"\x16\x03\x01\x00 what is this? \xff\xfe\r\n\r\n\x00"


def endless_body():
    yield told(b'{"success": true, "summary": "')
    for _ in count():
        yield b"x" * 65_536


def endless_head():
    yield b"HTTP/1.1 200 OK\r\n"
    for number in count():
        yield b"X-Filler-%d: %s\r\n" % (number, b"x" * 1_000)


def trickle():
    yield told(b"")
    for byte in json.dumps({"success": True, "summary": "x" * 1_000}):
        time.sleep(1.0)
        yield byte.encode()


def nothing():
    yield b""


def deep():
    yield told(b"[" * 100_000)


def numbers():
    yield told(b'{"success": true, "state": {}, "trade_info": {"ticket": 1e400, "volume": [[]]}}')


def odd():
    odd = {"ticket": [], "symbol": {}, "direction": 1, "entry_price": "x", "volume": [[]]}
    known = {"success": True, "already_registered": False, "state": {}, "summary": 1}
    yield told(json.dumps({**known, "trade_info": {**odd, "registered_at": {}}}).encode())


def come_back_at_no_time():
    yield b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: nan\r\nContent-Length: 0\r\n\r\n"


class Rude(socketserver.StreamRequestHandler):
    def handle(self):
        asked, length = self.rfile.readline(), 0
        while (line := self.rfile.readline()).strip():
            name, _, value = line.lower().partition(b":")
            length = int(value) if name == b"content-length" else length
        self.rfile.read(length)
        try:
            if HEALTHY and asked.startswith(b"GET /dtms/health "):
                self.wfile.write(told(HEALTH))
                return
            for part in globals()[MANNER]():
                self.wfile.write(part)
                self.wfile.flush()
        except OSError:
            """Nobody listens any more."""


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Rude).serve_forever()
