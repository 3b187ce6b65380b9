/** Collect what arrives between two animation frames and hand it over once. */
export class FrameBatch<T> {
  private waiting: T[] = [];
  private handle: number | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly flush: (batch: T[]) => void) {}

  push(item: T): void {
    this.waiting.push(item);
    if (this.handle !== null) return;
    this.handle = requestAnimationFrame(this.run);
    // A hidden page gets no frames; the timer keeps the state current there.
    this.timer = setTimeout(this.run, 250);
  }

  stop(): void {
    if (this.handle !== null) cancelAnimationFrame(this.handle);
    if (this.timer !== null) clearTimeout(this.timer);
    this.handle = null;
    this.timer = null;
    this.waiting = [];
  }

  private readonly run = (): void => {
    const batch = this.waiting;
    this.stop();
    if (batch.length > 0) this.flush(batch);
  };
}
