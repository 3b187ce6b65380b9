/** Canonical JSON (RFC 8785) for documents of objects, arrays, strings, booleans, null and exact integers. */

import { Broken } from "./broken";

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [name: string]: Json;
}

const DEPTH_MAX = 32;
const LONE_SURROGATE = /\p{Surrogate}/u;

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function scalar(value: null | boolean | number | string): string {
  if (typeof value === "number" && !Number.isSafeInteger(value)) throw new Broken("json.number");
  if (typeof value === "string" && LONE_SURROGATE.test(value)) throw new Broken("json.text");
  return JSON.stringify(Object.is(value, -0) ? 0 : value);
}

function write(value: Json, depth: number): string {
  if (depth > DEPTH_MAX) throw new Broken("json.deep");
  if (Array.isArray(value)) return `[${value.map((each) => write(each, depth + 1)).join(",")}]`;
  if (!isObject(value)) return scalar(value);
  // RFC 8785 orders names by their UTF-16 code units, which is how JavaScript compares strings.
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${scalar(name)}:${write(value[name] ?? null, depth + 1)}`).join(",")}}`;
}

/**
 * Write a document in its canonical form.
 * @throws Broken for fractions, integers from 2^53 on, lone surrogates and endless nesting
 */
export function canonical(value: Json): string {
  return write(value, 0);
}

/**
 * Read a document that must be in canonical form, byte by byte.
 *
 * A member that is named twice, a space, another order or another way to write a number is lost by the reader of
 * JSON, so what was read is written again and must give the same text.
 * @throws Broken when it is not
 */
export function parseCanonical(text: string): JsonObject {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    throw new Broken("json.unreadable");
  }
  if (!isObject(value)) throw new Broken("json.unreadable");
  if (canonical(value) !== text) throw new Broken("json.form");
  return value;
}

/** Decode UTF-8 and keep everything that is there, a byte order mark too. */
export function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Broken("json.text");
  }
}
