/** The day's manifest: one signed list of the archives of a day. */

import { sha256 } from "@noble/hashes/sha2.js";
import type { Archive } from "./archive";
import { Broken } from "./broken";
import { hashBytes, isHash, toHex } from "./bytes";
import { isObject, type JsonObject } from "./canonical";
import { leafHash, MerkleRoot } from "./merkle";
import type { Said } from "./report";

export function isManifest(document: JsonObject): boolean {
  return document["version"] === "day/1";
}

function entries(document: JsonObject): JsonObject[] {
  const archives = document["archives"];
  if (!Array.isArray(archives)) throw new Broken("manifest.shape");
  return archives.map((each) => {
    if (!isObject(each) || typeof each["symbol"] !== "string" || typeof each["root"] !== "string" || !isHash(each["root"])) throw new Broken("manifest.shape");
    return each;
  });
}

const symbolOf = (entry: JsonObject): string => String(entry["symbol"]);

/** The archives stand in the order of their symbols, and the root is the one over theirs. */
export function manifestRootCheck(document: JsonObject): Said {
  const listed = entries(document);
  const tree = new MerkleRoot();
  listed.forEach((entry, at) => {
    const before = listed[at - 1];
    if (before && symbolOf(before) >= symbolOf(entry)) throw new Broken("manifest.order");
    tree.add(leafHash(hashBytes(String(entry["root"]))));
  });
  if (toHex(tree.take()) !== document["root"]) throw new Broken("manifest.root");
  return { values: { count: listed.length }, detail: String(listed.length) };
}

/** Each archive that was given is the one that the manifest lists. */
export function manifestArchivesCheck(document: JsonObject, archives: readonly { archive: Archive; bytes: Uint8Array }[]): Said {
  const listed = new Map(entries(document).map((entry) => [symbolOf(entry), entry]));
  let count = 0;
  for (const { archive, bytes } of archives) {
    if (archive.day !== document["day"]) continue;
    const { statement, symbol } = archive;
    const entry = listed.get(symbol);
    const expected: [string, string | number][] = [
      ["bytes", bytes.length],
      ["sha256", toHex(sha256(bytes))],
      ["root", statement.root],
      ["seals", statement.seals],
      ["ticks", statement.ticks],
      ["previous_head", statement.previousHead],
      ["last_head", statement.lastHead],
    ];
    // Length and hash of a day that has not ended are not told yet.
    const differs = ([name, value]: [string, string | number]): boolean => entry?.[name] !== value && !(entry?.[name] === null && document["complete"] === false);
    if (!entry || expected.some(differs)) throw new Broken("manifest.archive", { symbol });
    count += 1;
  }
  return count === 0 ? { outcome: "skipped" } : { values: { count }, detail: `${String(count)} / ${String(listed.size)}` };
}
