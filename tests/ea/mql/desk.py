"""A trader's desk: a terminal folder with a key, an expert in it, and the server that it speaks with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ea.mql.testkit.simulated import Terminal
from tests.ea.mql.endpoint import Endpoint
from tests.ea.mql.reference import Server
from tests.ea.mql.wire import Event
from tests.support import eventually

TRANSPORT_INPUT = {"tcp": "0", "ws": "1", "http": "2", "tls": "0", "wss": "1"}
WITHIN_S = 15.0


class Chart:
    """Starts and restarts one terminal whose expert speaks with a server."""

    def __init__(
        self,
        program: Path,
        folder: Path,
        endpoint: Endpoint,
        transport: str,
        inputs: Mapping[str, object],
        terminals: list[Terminal],
    ) -> None:
        self.folder = folder
        self._program, self._terminals = program, terminals
        self._settings = {
            "InpTransport": TRANSPORT_INPUT[transport],
            "InpTls": str(int(transport in {"tls", "wss"})),
            "InpHost": endpoint.host,
            "InpPort": str(endpoint.ports[transport] if transport != "http" else 9100),
            "InpUrl": f"http://{endpoint.host}",
            "TERMINAL_PORT_80": str(endpoint.ports.get("http", 0)),
            "TERMINAL_LOGIN": endpoint.acct,
            "TERMINAL_SERVER": endpoint.server,
            **{name: str(value) for name, value in inputs.items()},
        }
        name = str(inputs.get("InpName", "signal"))
        keys = folder / "Files" / "Fairstrike"
        keys.mkdir(parents=True, exist_ok=True)
        (keys / f"{name}.key").write_text(f"{endpoint.kid} {endpoint.secret}\n")
        self.spool = keys / f"{name}.spool"
        self.terminal: Terminal

    def start(self) -> Terminal:
        """Put the expert on the chart."""
        self.terminal = Terminal(self._program, self.folder, self._settings)
        self._terminals.append(self.terminal)
        return self.terminal

    def start_refused(self, **settings: object) -> Terminal:
        """Put an expert on another chart of the same terminal, which must refuse to run."""
        self.set(**settings)
        terminal = Terminal(self._program, self.folder, self._settings)
        self._terminals.append(terminal)
        terminal.ended(code=3)
        return terminal

    def forget_history(self) -> None:
        """Let the terminal know of no deal, so that only the spool tells of them."""
        (self.folder / "history.txt").unlink(missing_ok=True)

    def set(self, **settings: object) -> None:
        """Change inputs or properties of the terminal for the next start."""
        self._settings |= {name: str(value) for name, value in settings.items()}

    def deals(self, count: int, **terms: object) -> None:
        """Make so many deals, one after the other."""
        words = " ".join(f"{name}={value}" for name, value in terms.items())
        self.terminal.do(*[f"deal {words}".strip()] * count)

    def waiting(self) -> int:
        """Return how many signals the journal still holds; the chart's comment may be half a second old."""
        waiting = set[str]()
        for line in self.spool.read_text().splitlines():
            kind, _, rest = line[9:].partition(" ")
            number = rest.split(" ")[0]
            if kind == "S":
                waiting.add(number)
            if kind == "D":
                waiting.discard(number)
        return len(waiting)


class Desk(Chart):
    """A chart beside the server of these tests: its book tells what came of the deals."""

    def __init__(
        self,
        program: Path,
        folder: Path,
        server: Server,
        transport: str,
        inputs: Mapping[str, object],
        terminals: list[Terminal],
    ) -> None:
        super().__init__(program, folder, server.endpoint, transport, inputs, terminals)
        self.book = server.book

    def delivered(self, count: int, within_s: float = WITHIN_S) -> list[Event]:
        """Wait until the server has so many events and the expert knows it; then see that all is as it must be.

        One event a deal, numbers without a gap, nothing left in the spool, no breach of the wire.
        """
        eventually(lambda: len(self.book.events) == count or self._failed(), within_s=within_s)
        eventually(lambda: self.waiting() == 0, within_s=within_s)
        events = sorted(self.book.events.values(), key=lambda event: event.signal.seq)
        assert self.book.breaches == []
        assert len(events) == count
        return events

    def clean(self, count: int, within_s: float = WITHIN_S) -> list[Event]:
        """As :meth:`delivered`, with the numbers 1 to count and a good end of the process."""
        events = self.delivered(count, within_s)
        assert [event.signal.seq for event in events] == list(range(1, count + 1))
        tickets = [event.signal.src_ticket for event in events if event.signal.src_ticket is not None]
        assert len(set(tickets)) == len(tickets)
        self.terminal.stop()
        assert self.book.breaches == []
        return events

    def _failed(self) -> bool:
        """Stop waiting early when the process is gone or the wire was breached."""
        assert self.book.breaches == [], self.book.breaches[0]
        assert self.terminal.running, self.terminal.lines[-20:]
        return False
