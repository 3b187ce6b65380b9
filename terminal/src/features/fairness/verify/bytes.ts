/** Bytes, hexadecimal text and big-endian integers. */

const HEX = Array.from({ length: 256 }, (_, value) => value.toString(16).padStart(2, "0"));
const HASH = /^[0-9a-f]{64}$/;

export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const each of bytes) text += HEX[each] ?? "";
  return text;
}

/** Read hexadecimal text in small letters; null when it is anything else. */
export function fromHex(text: string, length: number): Uint8Array | null {
  if (text.length !== 2 * length || !/^[0-9a-f]*$/.test(text)) return null;
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 1) bytes[at] = Number.parseInt(text.slice(2 * at, 2 * at + 2), 16);
  return bytes;
}

export function isHash(text: string): boolean {
  return HASH.test(text);
}

/** Read a hash that has been checked to be one. */
export function hashBytes(text: string): Uint8Array {
  const bytes = fromHex(text, 32);
  if (bytes === null) throw new RangeError("not a SHA-256 in hexadecimal");
  return bytes;
}

export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((each, at) => each === right[at]);
}

export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (each) => each.charCodeAt(0));
}

/** Write a non-negative safe integer into eight bytes. */
export function putUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / 0x1_0000_0000));
  view.setUint32(at + 4, value % 0x1_0000_0000);
}
