"""The floor of a fan-out: ``socket.send`` of one message to many sockets, from Python, and nothing else."""

from __future__ import annotations

import json
import socket
import sys
import time

from bench.ratios.processors import own_cpu_s


def main() -> None:
    """Accept connections; each line of standard input then asks for messages: how many, how often, how long."""
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1_024) as server:
        count = int(sys.argv[2])
        sockets = []
        for _ in range(count):
            found, _address = server.accept()
            found.setblocking(False)
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sockets.append(found)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        for line in sys.stdin:
            asked = json.loads(line)
            _sent(sockets, b"x" * asked["length"], asked["messages"], asked["per_s"])


def _sent(sockets: list[socket.socket], message: bytes, messages: int, per_s: float) -> None:
    began_s, cpu_s = time.monotonic(), own_cpu_s()
    for number in range(messages):
        for one in sockets:
            one.send(message)
        time.sleep(max(0.0, began_s + (number + 1) / per_s - time.monotonic()))
    sys.stdout.write(json.dumps({"cpu_s": own_cpu_s() - cpu_s}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
