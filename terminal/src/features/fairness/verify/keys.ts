/** The platform's list of keys, and whether a signature is by one of them. */

import { Broken } from "./broken";
import { isObject, type Json, type JsonObject } from "./canonical";
import type { Said } from "./report";
import type { Signature } from "./signature";

export interface Key {
  keyId: string;
  kind: string;
  publicKey: string;
  sinceMs: number;
  untilMs: number | null;
}

function keyOf(value: Json): Key {
  if (!isObject(value)) throw new Broken("keys.shape");
  const { key_id: keyId, kind, public_key: publicKey, since, until = null } = value;
  const shaped = typeof keyId === "string" && typeof kind === "string" && typeof publicKey === "string" && typeof since === "string";
  if (!shaped || (until !== null && typeof until !== "string")) throw new Broken("keys.shape");
  const [sinceMs, untilMs] = [Date.parse(since), until === null ? null : Date.parse(until)];
  if (!Number.isFinite(sinceMs) || (untilMs !== null && !Number.isFinite(untilMs))) throw new Broken("keys.shape");
  return { keyId, kind, publicKey, sinceMs, untilMs };
}

export function isKeys(document: JsonObject): boolean {
  const data = document["data"];
  return Array.isArray(data) && data.every((each) => isObject(each) && Object.hasOwn(each, "key_id"));
}

export function keysOf(document: JsonObject): Key[] {
  const data = document["data"];
  if (!Array.isArray(data)) throw new Broken("keys.shape");
  return data.map(keyOf);
}

/** A signature is by a key that the platform has published, used in its time. */
export function keyCheck(signature: Signature | null, keys: readonly Key[] | null, signedAt: unknown): Said {
  if (signature === null) return { outcome: "skipped", words: "key.none" };
  if (keys === null) return { outcome: "skipped", words: "key.noList", detail: signature.keyId };
  const key = keys.find((each) => each.keyId === signature.keyId && each.publicKey === signature.publicKey);
  if (!key) throw new Broken("key.unknown", { key: signature.keyId });
  if (key.kind !== signature.kind) throw new Broken("key.kind", { key: signature.keyId });
  const atMs = typeof signedAt === "string" ? Date.parse(signedAt) : Number.NaN;
  if (atMs < key.sinceMs || (key.untilMs !== null && atMs > key.untilMs)) throw new Broken("key.time", { key: signature.keyId });
  return { words: "key.ok", detail: signature.keyId };
}
