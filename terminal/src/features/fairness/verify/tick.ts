/** A tick of the log and its bytes, as the seals hash them. */

import { putUint64 } from "./bytes";

export interface Tick {
  seq: number;
  atMs: number;
  receivedMs: number;
  /** As the feed sent them; empty for a trade. */
  bid: string;
  ask: string;
  /** Integer of 10^-scale units. */
  price: bigint;
  revision: number;
}

const FIXED = 36;

function putText(buffer: Uint8Array, view: DataView, at: number, text: string): number {
  view.setUint16(at, text.length);
  for (let index = 0; index < text.length; index += 1) buffer[at + 2 + index] = text.charCodeAt(index);
  return at + 2 + text.length;
}

export function tickBytes(tick: Tick): Uint8Array {
  const buffer = new Uint8Array(FIXED + 4 + tick.bid.length + tick.ask.length);
  const view = new DataView(buffer.buffer);
  putUint64(view, 0, tick.seq);
  putUint64(view, 8, tick.atMs);
  putUint64(view, 16, tick.receivedMs);
  view.setBigInt64(24, tick.price);
  view.setUint32(32, tick.revision);
  putText(buffer, view, putText(buffer, view, FIXED, tick.bid), tick.ask);
  return buffer;
}
