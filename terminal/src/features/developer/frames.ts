import { ref, shallowRef } from "vue";

export interface Frame {
  no: number;
  atMs: number;
  way: "in" | "out";
  text: string;
}

export type FramesState = "idle" | "connecting" | "open" | "closed";

export const FRAMES_KEPT = 500;
const PING_EVERY_MS = 20_000;

/** A socket of its own, with every frame that passes written down: the newest are kept, drawn once a frame of the screen. */
export class FrameLog {
  readonly frames = shallowRef<readonly Frame[]>([]);
  readonly state = ref<FramesState>("idle");
  readonly closeCode = ref(0);
  readonly paused = ref(false);
  /** How many came while what is shown stood still. */
  readonly held = ref(0);

  private socket: WebSocket | null = null;
  private kept: Frame[] = [];
  private count = 0;
  private planned: number | null = null;
  private ping: ReturnType<typeof setInterval> | null = null;

  start(url: string, first: readonly unknown[]): void {
    this.stop();
    this.state.value = "connecting";
    const socket = new WebSocket(url);
    this.socket = socket;
    socket.onopen = () => {
      this.state.value = "open";
      for (const message of first) this.send(message);
      this.ping = setInterval(() => { this.send({ type: "ping" }); }, PING_EVERY_MS);
    };
    socket.onmessage = (event: MessageEvent<unknown>) => { this.note("in", String(event.data)); };
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      this.closeCode.value = event.code;
      this.rest("closed");
    };
  }

  stop(): void {
    const socket = this.socket;
    if (socket) socket.onopen = socket.onmessage = socket.onclose = null;
    socket?.close();
    this.rest("idle");
  }

  clear(): void {
    this.kept = [];
    this.held.value = 0;
    this.frames.value = [];
  }

  pause(): void {
    this.paused.value = true;
  }

  resume(): void {
    this.paused.value = false;
    this.draw();
  }

  private rest(state: FramesState): void {
    if (this.ping !== null) clearInterval(this.ping);
    this.ping = this.socket = null;
    this.state.value = state;
  }

  private send(message: unknown): void {
    const text = JSON.stringify(message);
    this.socket?.send(text);
    this.note("out", text);
  }

  private note(way: Frame["way"], text: string): void {
    this.count += 1;
    this.kept.push({ no: this.count, atMs: Date.now(), way, text });
    if (this.kept.length > FRAMES_KEPT) this.kept.shift();
    if (this.paused.value) this.held.value += 1;
    else this.planned ??= requestAnimationFrame(() => { this.draw(); });
  }

  private draw(): void {
    this.planned = null;
    if (this.paused.value) return;
    this.held.value = 0;
    this.frames.value = [...this.kept];
  }
}
