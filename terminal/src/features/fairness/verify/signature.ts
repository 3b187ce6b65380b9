/** Signatures of documents: Ed25519 (RFC 8032) over the canonical form without the value itself. */

import { hashes, verify } from "@noble/ed25519";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { Broken } from "./broken";
import { fromHex, toHex } from "./bytes";
import { canonical, isObject, type JsonObject } from "./canonical";

// A page that is not served over HTTPS has no Web Crypto, so the hash comes from the library.
hashes.sha512 = sha512;

export interface Signature {
  keyId: string;
  kind: "production" | "dev";
  publicKey: string;
}

function member(source: JsonObject, name: string): string {
  const value = source[name];
  if (typeof value !== "string") throw new Broken("signature.shape");
  return value;
}

function holds(value: Uint8Array, message: Uint8Array, key: Uint8Array): boolean {
  try {
    return verify(value, message, key, { zip215: false });
  } catch {
    // The library throws for points and scalars that are not in their one proper form.
    return false;
  }
}

/**
 * Check the signature of a document and answer who signed; null when it bears none.
 * @throws Broken when the signature is not one of this document by this key
 */
export function signatureCheck(document: JsonObject): Signature | null {
  const signature = document["signature"];
  if (signature === null) return null;
  if (!isObject(signature) || Object.keys(signature).length !== 5) throw new Broken("signature.shape");
  const [keyId, kind, publicKey] = [member(signature, "key_id"), member(signature, "kind"), member(signature, "public_key")];
  const value = fromHex(member(signature, "value"), 64);
  const key = fromHex(publicKey, 32);
  if (signature["algorithm"] !== "Ed25519" || (kind !== "production" && kind !== "dev") || !value || !key) throw new Broken("signature.shape");
  if (toHex(sha256(key)).slice(0, 16) !== keyId) throw new Broken("signature.keyId", { key: keyId });
  const unsigned = Object.fromEntries(Object.entries(signature).filter(([name]) => name !== "value"));
  const message = new TextEncoder().encode(canonical({ ...document, signature: unsigned }));
  if (!holds(value, message, key)) throw new Broken("signature.wrong", { key: keyId });
  return { keyId, kind, publicKey };
}
