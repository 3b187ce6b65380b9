"""How long, how much and how often: what one connection may take of a gateway."""

from __future__ import annotations

from ea.protocol import HEARTBEAT_S, HEARTBEATS_MISSED_MAX

HELLO_S = 5.0
SILENT_S = float(HEARTBEAT_S * HEARTBEATS_MISSED_MAX)
# Signals of one connection that wait for the log; above the first no more is read, below the second reading goes on.
UNACKED_MAX, UNACKED_LOW = 200, 50
RATE_PER_S, RATE_BURST = 50, 200
# Whatever is no signal that goes to the log; who needs more is broken, and is cut off.
OTHER_PER_S, OTHER_BURST = 10, 300
# Signals that come again and again before their time.
AGAIN_PER_S, AGAIN_BURST = 200, 1_000
# After this there is room for a whole window of a client again.
RETRY_MS = 1_000
