/** The last line of an archive: what the platform states about the day, and signs. */

import { Broken } from "./broken";
import { isHash } from "./bytes";
import { isObject, parseCanonical, type Json, type JsonObject } from "./canonical";

export interface Revision {
  number: number;
  priceScale: number;
  priceSource: string;
}

export interface Statement {
  document: JsonObject;
  symbol: string;
  day: string;
  complete: boolean;
  seals: number;
  ticks: number;
  previousHead: string;
  lastHead: string;
  root: string;
  signedAt: string;
  revisions: Map<number, Revision>;
}

export const DAY = /^\d{4}-\d\d-\d\d$/;
export const SYMBOL = /^[\x21-\x7e]{1,64}$/;

function text(source: JsonObject, name: string, shaped: (value: string) => boolean): string {
  const value = source[name];
  if (typeof value !== "string" || !shaped(value)) throw new Broken("archive.statementShape");
  return value;
}

function whole(source: JsonObject, name: string): number {
  const value = source[name];
  if (typeof value !== "number" || value < 0) throw new Broken("archive.statementShape");
  return value;
}

function revisionOf(value: Json): [number, Revision] {
  if (!isObject(value)) throw new Broken("archive.statementShape");
  const number = whole(value, "number");
  const scale = whole(value, "price_scale");
  if (scale > 18) throw new Broken("archive.statementShape");
  return [number, { number, priceScale: scale, priceSource: text(value, "price_source", () => true) }];
}

export function statementOf(line: string): Statement {
  const document = parseCanonical(line);
  const { complete, revisions, version } = document;
  if (version !== "archive/1" || typeof complete !== "boolean" || !Array.isArray(revisions)) throw new Broken("archive.statementShape");
  return {
    document,
    complete,
    symbol: text(document, "symbol", (value) => SYMBOL.test(value)),
    day: text(document, "day", (value) => DAY.test(value)),
    seals: whole(document, "seals"),
    ticks: whole(document, "ticks"),
    previousHead: text(document, "previous_head", isHash),
    lastHead: text(document, "last_head", isHash),
    root: text(document, "root", isHash),
    signedAt: text(document, "signed_at", () => true),
    revisions: new Map(revisions.map(revisionOf)),
  };
}
