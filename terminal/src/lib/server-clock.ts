const SLACK_MS = 50;

/**
 * The server's time, kept by the monotonic clock so that a step of the local clock moves nothing.
 * The sample with the shortest round trip wins, because its error is bounded by half that trip.
 */
export class ServerClock {
  private offsetMs: number | null = null;
  private bestTripMs = Number.POSITIVE_INFINITY;
  private sampledAt = 0;

  constructor(
    private readonly monotonic: () => number = () => performance.now(),
    private readonly wall: () => number = () => Date.now(),
  ) {}

  /** Take a sample: the server's time read between two readings of the monotonic clock. */
  sample(serverMs: number, sentAt: number, receivedAt: number): void {
    const trip = receivedAt - sentAt;
    const offset = serverMs + trip / 2 - receivedAt;
    const aged = receivedAt - this.sampledAt > 300_000;
    // Two samples that cannot both be true: the monotonic clock stood still while the device slept.
    const slept = this.offsetMs !== null && Math.abs(offset - this.offsetMs) > (trip + this.bestTripMs) / 2 + SLACK_MS;
    if (this.offsetMs !== null && trip > this.bestTripMs && !aged && !slept) return;
    this.offsetMs = offset;
    this.bestTripMs = trip;
    this.sampledAt = receivedAt;
  }

  /** Server time now, Unix milliseconds; the local clock until the first sample. */
  now(): number {
    return this.offsetMs === null ? this.wall() : Math.round(this.monotonic() + this.offsetMs);
  }

  get synced(): boolean {
    return this.offsetMs !== null;
  }
}
