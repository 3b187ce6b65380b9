/** Files as they are given, compressed or not. */

import type { InputFile } from "./verify";

/** An archive of a very busy day is a tenth of this; beyond it a file is made to fill the memory. */
const BYTES_MAX = 512 << 20;

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Unpack a file that is compressed with gzip, and give back any other as it is.
 * @returns null when it is damaged or unpacks to more than memory should bear
 */
export async function unpacked(file: InputFile): Promise<InputFile | null> {
  if (!isGzip(file.bytes)) return file;
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    const packed = new Blob([file.bytes as Uint8Array<ArrayBuffer>]).stream();
    const reader = packed.pipeThrough(new DecompressionStream("gzip")).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      length += part.value.length;
      if (length > BYTES_MAX) {
        await reader.cancel();
        return null;
      }
      parts.push(part.value);
    }
  } catch {
    return null;
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return { name: file.name, bytes };
}
