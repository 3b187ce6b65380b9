"""Run the supervisor over small commands: ``python -m tests.config.stand_in PLAN`` with a plan in JSON."""

import json
import os
import sys

from config.runtimes import Plan, Step
from config.supervisor import supervise

READY_SERVER = """
import http.server, sys
class Ready(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        Ready.asked += 1
        print("asked", Ready.asked, flush=True)
        self.send_response(int(sys.argv[2]))
        self.end_headers()
        self.wfile.write(b"feed is silent")
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""


def web(port: int, status: int = 200) -> list[str]:
    """Return a command that answers ``/readyz`` with a status."""
    return [sys.executable, "-c", READY_SERVER, str(port), str(status)]


def shell(script: str) -> list[str]:
    """Return a command that runs a shell script."""
    return ["sh", "-c", script]


def main(text: str) -> int:
    """Supervise the plan that ``text`` describes."""
    plan = json.loads(text)
    steps = tuple(Step(name, tuple(command)) for name, command in plan.get("steps", {}).items())
    runtimes = {name: tuple(command) for name, command in plan["runtimes"].items()}
    return supervise(
        Plan(runtimes=runtimes, port=plan["port"], steps=steps, greeting=("the greeting",)), environ=os.environ
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
