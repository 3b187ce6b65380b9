/** Seals: one for each minute of a symbol's ticks, each naming the one before it. */

import { sha256 } from "@noble/hashes/sha2.js";
import { ascii, hashBytes, putUint64, toHex } from "./bytes";

export const MINUTE_MS = 60_000;
export const NO_HEAD = "0".repeat(64);
const PREFIX = ascii("fairstrike-seal/1\n");

export interface Seal {
  symbol: string;
  minuteMs: number;
  count: number;
  firstSeq: number;
  /** Hashes are hexadecimal text. */
  root: string;
  previousHead: string;
  head: string;
}

/** The head that a seal's other members give. */
export function sealHead(seal: Seal): string {
  const code = ascii(seal.symbol);
  const buffer = new Uint8Array(PREFIX.length + 2 + code.length + 84);
  const view = new DataView(buffer.buffer);
  buffer.set(PREFIX);
  let at = PREFIX.length;
  view.setUint16(at, code.length);
  buffer.set(code, at + 2);
  at += 2 + code.length;
  putUint64(view, at, seal.minuteMs);
  view.setUint32(at + 8, seal.count);
  putUint64(view, at + 12, seal.firstSeq);
  buffer.set(hashBytes(seal.root), at + 20);
  buffer.set(hashBytes(seal.previousHead), at + 52);
  return toHex(sha256(buffer));
}
