/** Makes a screenshot small enough to keep: its colours become a palette of 256, which a page of flat colours hardly shows. */

import { deflateSync, inflateSync } from "node:zlib";

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const COLOURS = 256;

interface Picture {
  width: number;
  height: number;
  /** Three bytes for each point. */
  rgb: Uint8Array;
}

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit += 1) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function crc(bytes: Buffer): number {
  let value = 0xffffffff;
  for (const byte of bytes) value = (CRC[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [size, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  size.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc(body));
  return Buffer.concat([size, body, sum]);
}

/** What a filtered byte was, by the bytes to the left, above, and above left of it. */
function restored(filter: number, left: number, up: number, corner: number): number {
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  if (filter !== 4) return 0;
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

/** Read a picture of 8 bits a channel, with or without transparency, not interlaced: what a browser writes. */
export function read(png: Buffer): Picture {
  let [width, height, channels] = [0, 0, 3];
  const packed: Buffer[] = [];
  for (let at = SIGNATURE.length; at < png.length; ) {
    const size = png.readUInt32BE(at);
    const [type, data] = [png.toString("latin1", at + 4, at + 8), png.subarray(at + 8, at + 8 + size)];
    if (type === "IHDR") [width, height, channels] = [data.readUInt32BE(0), data.readUInt32BE(4), data[9] === 6 ? 4 : 3];
    if (type === "IDAT") packed.push(data);
    at += size + 12;
  }
  const raw = inflateSync(Buffer.concat(packed));
  const row = width * channels;
  const lines = new Uint8Array(row * height);
  for (let y = 0; y < height; y += 1) {
    const filter = raw[y * (row + 1)] ?? 0;
    for (let x = 0; x < row; x += 1) {
      const at = y * row + x;
      const left = x < channels ? 0 : (lines[at - channels] ?? 0);
      const up = y === 0 ? 0 : (lines[at - row] ?? 0);
      const corner = y === 0 || x < channels ? 0 : (lines[at - row - channels] ?? 0);
      lines[at] = (raw[y * (row + 1) + 1 + x] ?? 0) + restored(filter, left, up, corner);
    }
  }
  if (channels === 3) return { width, height, rgb: lines };
  const rgb = new Uint8Array(width * height * 3);
  for (let point = 0; point < width * height; point += 1) rgb.set(lines.subarray(point * 4, point * 4 + 3), point * 3);
  return { width, height, rgb };
}

interface Shade {
  colour: readonly [number, number, number];
  count: number;
}

const CHANNELS = [0, 1, 2] as const;

/** Split the box that spreads widest, weighed by its points, until there are enough. */
function palette(shades: Shade[]): Shade["colour"][] {
  const measured = (box: Shade[]): { box: Shade[]; channel: 0 | 1 | 2; weight: number } => {
    const spans = CHANNELS.map((channel) => {
      const values = box.map(({ colour }) => colour[channel]);
      return values.reduce((most, value) => Math.max(most, value), 0) - values.reduce((least, value) => Math.min(least, value), 255);
    });
    const channel = CHANNELS.reduce((best, each) => ((spans[each] ?? 0) > (spans[best] ?? 0) ? each : best), 0 as 0 | 1 | 2);
    return { box, channel, weight: (spans[channel] ?? 0) ** 2 * Math.sqrt(box.reduce((sum, { count }) => sum + count, 0)) };
  };
  const boxes = [measured(shades)];
  while (boxes.length < COLOURS) {
    boxes.sort((a, b) => a.weight - b.weight);
    const widest = boxes.pop();
    if (!widest || widest.weight === 0) {
      if (widest) boxes.push(widest);
      break;
    }
    const sorted = widest.box.sort((a, b) => a.colour[widest.channel] - b.colour[widest.channel]);
    const half = sorted.reduce((sum, { count }) => sum + count, 0) / 2;
    let [cut, below] = [0, 0];
    while (cut < sorted.length - 1 && (cut === 0 || below < half)) below += sorted[cut++]?.count ?? 0;
    boxes.push(measured(sorted.slice(0, cut)), measured(sorted.slice(cut)));
  }
  // The colour that a box has most of stays exact: surfaces and text keep their tokens.
  return boxes.map(({ box }) => box.reduce((most, each) => (each.count > most.count ? each : most)).colour);
}

/** The same picture with at most 256 colours. */
export function small(png: Buffer): Buffer {
  const { width, height, rgb } = read(png);
  const counts = new Map<number, number>();
  for (let at = 0; at < rgb.length; at += 3) {
    const key = ((rgb[at] ?? 0) << 16) | ((rgb[at + 1] ?? 0) << 8) | (rgb[at + 2] ?? 0);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const colours = palette([...counts].map(([key, count]) => ({ colour: [key >> 16, (key >> 8) & 0xff, key & 0xff] as const, count })));
  const nearest = new Map<number, number>();
  for (const key of counts.keys()) {
    let [best, least] = [0, Number.POSITIVE_INFINITY];
    for (const [index, [r, g, b]] of colours.entries()) {
      const far = ((key >> 16) - r) ** 2 + (((key >> 8) & 0xff) - g) ** 2 + ((key & 0xff) - b) ** 2;
      if (far < least) [best, least] = [index, far];
    }
    nearest.set(key, best);
  }
  const lines = Buffer.alloc((width + 1) * height);
  for (let point = 0, at = 0; point < width * height; point += 1, at += 3) {
    const key = ((rgb[at] ?? 0) << 16) | ((rgb[at + 1] ?? 0) << 8) | (rgb[at + 2] ?? 0);
    lines[point + Math.floor(point / width) + 1] = nearest.get(key) ?? 0;
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 3, 0, 0, 0], 8);
  return Buffer.concat([SIGNATURE, chunk("IHDR", head), chunk("PLTE", Buffer.from(colours.flat())), chunk("IDAT", deflateSync(lines, { level: 9 })), chunk("IEND", Buffer.alloc(0))]);
}
