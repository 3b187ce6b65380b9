/** Reads a tick's line of an archive straight from its bytes, for files of hundreds of thousands of lines. */

import { sha256 } from "@noble/hashes/sha2.js";
import { Broken } from "./broken";
import { putUint64 } from "./bytes";
import { midOf } from "./decimal";
import type { RuleTick } from "./rules";
import type { Tick } from "./tick";

const [COMMA, POINT, ZERO] = [44, 46, 48];
/** A decimal number of so many digits is exact in a double. */
const EXACT_DIGITS = 15;
const PRICE_MAX = 2n ** 63n;
const POWERS = Array.from({ length: EXACT_DIGITS + 1 }, (_, exponent) => 10 ** exponent);

/** A price as the feed sent it: where its text is, and its digits as a number where that is exact. */
interface Side {
  from: number;
  to: number;
  digits: number;
  places: number;
  exact: boolean;
}

const side = (): Side => ({ from: 0, to: 0, digits: 0, places: 0, exact: true });

export class TickLine {
  seq = 0;
  atMs = 0;
  receivedMs = 0;
  revision = 0;
  private price: number | bigint = 0;
  private readonly bid = side();
  private readonly ask = side();
  private at = 0;
  private end = 0;
  private buffer = new Uint8Array(256);
  private view = new DataView(this.buffer.buffer);

  constructor(private readonly bytes: Uint8Array) {}

  /**
   * Read the line from `start` up to `end`, where its line feed is.
   * @throws Broken when it is not written exactly as the format says
   */
  read(start: number, end: number): void {
    this.at = start;
    this.end = end;
    this.seq = this.safe();
    this.atMs = this.safe();
    this.receivedMs = this.safe();
    this.decimal(this.bid);
    this.decimal(this.ask);
    this.price = this.whole();
    this.revision = this.safe();
    if (this.at !== end + 1 || this.price >= PRICE_MAX || this.revision > 0xffff_ffff) throw new Broken("archive.line");
  }

  snapshot(): Tick {
    const { seq, atMs, receivedMs, revision } = this;
    return { seq, atMs, receivedMs, bid: this.text(this.bid), ask: this.text(this.ask), price: BigInt(this.price), revision };
  }

  /** The tick as the rules see it, written over one that nobody needs any more where there is one. */
  ruled(over: RuleTick | null = null): RuleTick {
    const tick = over ?? { seq: 0, atMs: 0, price: 0n, revision: 0 };
    tick.seq = this.seq;
    tick.atMs = this.atMs;
    tick.price = BigInt(this.price);
    tick.revision = this.revision;
    return tick;
  }

  leaf(): Uint8Array {
    const [bidLength, askLength] = [this.bid.to - this.bid.from, this.ask.to - this.ask.from];
    const length = 41 + bidLength + askLength;
    if (length > this.buffer.length) {
      this.buffer = new Uint8Array(2 * length);
      this.view = new DataView(this.buffer.buffer);
    }
    const { buffer, view, bytes } = this;
    putUint64(view, 1, this.seq);
    putUint64(view, 9, this.atMs);
    putUint64(view, 17, this.receivedMs);
    if (typeof this.price === "bigint") view.setBigInt64(25, this.price);
    else putUint64(view, 25, this.price);
    view.setUint32(33, this.revision);
    view.setUint16(37, bidLength);
    buffer.set(bytes.subarray(this.bid.from, this.bid.to), 39);
    view.setUint16(39 + bidLength, askLength);
    buffer.set(bytes.subarray(this.ask.from, this.ask.to), 41 + bidLength);
    return sha256(buffer.subarray(0, length));
  }

  /** Whether the price is the middle of bid and ask at this scale; true for a trade, which has neither. */
  isMid(scale: number): boolean {
    const { bid, ask } = this;
    if (bid.to === bid.from || ask.to === ask.from) return true;
    const places = Math.max(bid.places, ask.places, scale);
    if (bid.exact && ask.exact && typeof this.price === "number" && places <= EXACT_DIGITS) {
      const sum = bid.digits * power(places - bid.places) + ask.digits * power(places - ask.places);
      const by = 2 * power(places - scale);
      if (Number.isSafeInteger(2 * sum)) {
        const floor = Math.floor(sum / by);
        const twice = 2 * (sum - floor * by);
        return this.price === (twice > by || (twice === by && floor % 2 === 1) ? floor + 1 : floor);
      }
    }
    return midOf(this.text(bid), this.text(ask), scale) === BigInt(this.price);
  }

  private text(part: Side): string {
    return String.fromCharCode(...this.bytes.subarray(part.from, part.to));
  }

  /** Read a whole number up to the next comma, or to the end of the line. */
  private whole(): number | bigint {
    const from = this.at;
    let value = 0;
    let at = from;
    for (; at < this.end; at += 1) {
      const digit = (this.bytes[at] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    const length = at - from;
    const stopped = at === this.end || this.bytes[at] === COMMA;
    if (!stopped || length === 0 || length > 19 || (length > 1 && this.bytes[from] === ZERO)) throw new Broken("archive.line");
    this.at = at + 1;
    return length <= EXACT_DIGITS ? value : BigInt(String.fromCharCode(...this.bytes.subarray(from, at)));
  }

  private safe(): number {
    const value = Number(this.whole());
    if (!Number.isSafeInteger(value)) throw new Broken("archive.line");
    return value;
  }

  private decimal(into: Side): void {
    let [digits, count, point] = [0, 0, -1];
    let at = this.at;
    for (; at < this.end && this.bytes[at] !== COMMA; at += 1) {
      const each = this.bytes[at] ?? 0;
      if (each === POINT && point < 0) {
        point = at;
        continue;
      }
      if (each < ZERO || each > ZERO + 9) throw new Broken("archive.line");
      digits = digits * 10 + each - ZERO;
      count += 1;
    }
    if ((count === 0 && at > this.at) || at - this.at > 0xffff) throw new Broken("archive.line");
    into.from = this.at;
    into.to = at;
    into.digits = digits;
    into.places = point < 0 ? 0 : at - point - 1;
    into.exact = count <= EXACT_DIGITS;
    this.at = at + 1;
  }
}

function power(exponent: number): number {
  return POWERS[exponent] ?? 10 ** exponent;
}
