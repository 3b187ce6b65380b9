import { sha256 } from "@noble/hashes/sha2.js";
import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "./bytes";
import { canonical, parseCanonical, type Json, type JsonObject } from "./canonical";
import { leafHash, MerkleRoot, rootFromPath } from "./merkle";
import { verifyRun } from "./run";
import { archiveText, bytesOf, naivePath, naiveRoot, sampleLog, sealed, signed } from "./sample-evidence";
import { signatureCheck } from "./signature";
import { tickBytes } from "./tick";
import { TickLine } from "./tick-line";

describe("canonical JSON (RFC 8785)", () => {
  it("orders names by their UTF-16 code units and escapes as little as it may", () => {
    expect(canonical({ "\u20ac": 1, "\r": 2, "1": 3, "\ud83d\ude00": 4, "\ufb33": 5, b: [true, null, "\u000f\"\\/\u007f"] })).toBe(
      '{"\\r":2,"1":3,"b":[true,null,"\\u000f\\"\\\\/\u007f"],"\u20ac":1,"\ud83d\ude00":4,"\ufb33":5}',
    );
  });

  it.each(['{"a":1,"a":1}', '{"b":1,"a":2}', '{"a": 1}', '{"a":1e0}', '{"a":1.0}', '{"a":-0}', '{"a":"\\u0041"}', '\ufeff{"a":1}', '{"a":1}\n', '{"a":01}', "[]", "{", '{"a":9007199254740993}', '{"a":0.5}', '{"a":"\\ud800"}', '{"__proto__":1,"__proto__":1}'])("refuses %s", (text) => {
    expect(() => parseCanonical(text)).toThrow();
  });

  it("does not fall over endless nesting", () => {
    expect(() => parseCanonical(`{"a":${"[".repeat(5000)}${"]".repeat(5000)}}`)).toThrow("json.deep");
    const nested: Json = Array.from({ length: 40 }).reduce<Json>((inner) => [inner], 1);
    expect(() => canonical(nested)).toThrow("json.deep");
  });
});

describe("the tree of RFC 9162", () => {
  const leaves = Array.from({ length: 40 }, (_, at) => leafHash(Uint8Array.of(at)));

  it("has the root of its definition for any number of leaves", () => {
    for (let count = 0; count <= leaves.length; count += 1) {
      const tree = new MerkleRoot();
      for (const leaf of leaves.slice(0, count)) tree.add(leaf);
      expect(toHex(tree.take())).toBe(toHex(naiveRoot(leaves.slice(0, count))));
    }
    expect(toHex(new MerkleRoot().take())).toBe(toHex(sha256(new Uint8Array(0))));
  });

  it("leads from each leaf to the root, and from no other place or number of leaves", () => {
    for (const count of [1, 2, 3, 7, 8, 13, 40]) {
      const root = toHex(naiveRoot(leaves.slice(0, count)));
      for (let index = 0; index < count; index += 1) {
        const [leaf, path] = [leaves[index] ?? new Uint8Array(32), naivePath(leaves.slice(0, count), index)];
        const to = (at: number, of: number, by = path): string => toHex(rootFromPath(leaf, at, of, by) ?? new Uint8Array(0));
        expect(to(index, count)).toBe(root);
        expect(to(index + 1, count)).not.toBe(root);
        expect(to(index, count, [...path, leaf])).not.toBe(root);
        if (path.length > 0) expect(to(index, count, path.slice(1))).not.toBe(root);
      }
      expect(rootFromPath(leaves[0] ?? new Uint8Array(32), count, count, [])).toBeNull();
    }
  });
});

describe("a tick's line", () => {
  const lineOf = (text: string): TickLine => {
    const line = new TickLine(bytesOf(text));
    line.read(0, text.length);
    return line;
  };

  it("gives the bytes that the format says, large prices and trades too", () => {
    for (const text of ["812,1795953600125,1795953600130,1.08512,1.08514,108513,4", "1,0,0,,,4611686018427387904,0", "7,1,2,64000.5,.5,3200050,4294967295", "7,1,2,64000.,64001,6400050,1"]) {
      const line = lineOf(text);
      expect(toHex(line.leaf())).toBe(toHex(leafHash(tickBytes(line.snapshot()))));
    }
    const bytes = tickBytes({ seq: 1, atMs: 2, receivedMs: 3, bid: "1.5", ask: "", price: 15n, revision: 4 });
    expect(toHex(bytes)).toBe("0000000000000001" + "0000000000000002" + "0000000000000003" + "000000000000000f" + "00000004" + "0003312e35" + "0000");
  });

  it.each(["1,2,3,,,5", "1,2,3,,,5,6,7", "01,2,3,,,5,6", "1,2,3,,,5,", "1,2,3,1e5,,5,6", "1,2,3,1.2.3,,5,6", "1,2,3,.,,5,6", "1,2,3,-1,,5,6", "-1,2,3,,,5,6", "1,2,3,,,-5,6", "1,2,3,,,9223372036854775808,6", "1,2,3,,,5,4294967296", "1,2,3,,,5,6 ", "", "9007199254740993,2,3,,,5,6"])("is refused when it is %s", (text) => {
    expect(() => lineOf(text)).toThrow("archive.line");
  });

  it("knows the middle of bid and ask by numbers and by large numbers alike", () => {
    expect(lineOf("1,2,3,1.08512,1.08513,108512,1").isMid(5)).toBe(true);
    expect(lineOf("1,2,3,1.08512,1.08513,108513,1").isMid(5)).toBe(false);
    expect(lineOf("1,2,3,1.08513,1.08514,108514,1").isMid(5)).toBe(true);
    expect(lineOf("1,2,3,123456789012345.5,123456789012346.5,123456789012346,1").isMid(0)).toBe(true);
    expect(lineOf("1,2,3,123456789012345.5,123456789012346.5,123456789012345,1").isMid(0)).toBe(false);
  });
});

describe("signatures", () => {
  const document = { a: 1, signature: null };
  const good = signed({ a: 1 });
  const withSignature = (changes: JsonObject): JsonObject => ({ ...good, signature: { ...(good["signature"] as JsonObject), ...changes } });

  it("holds for the document that was signed, and for no other", () => {
    expect(signatureCheck(document)).toBeNull();
    expect(signatureCheck(good)?.kind).toBe("production");
    expect(() => signatureCheck({ ...good, a: 2 })).toThrow("signature.wrong");
    expect(() => signatureCheck({ ...good, b: 2 })).toThrow("signature.wrong");
    expect(() => signatureCheck(withSignature({ kind: "dev" }))).toThrow("signature.wrong");
    expect(() => signatureCheck(withSignature({ key_id: "0".repeat(16) }))).toThrow("signature.keyId");
    expect(() => signatureCheck(withSignature({ algorithm: "none" }))).toThrow("signature.shape");
    expect(() => signatureCheck(withSignature({ more: 1 }))).toThrow("signature.shape");
  });

  it("has one value only: S plus the order of the group is another spelling, and is refused", () => {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const value = String((good["signature"] as JsonObject)["value"]);
    const little = (text: string): bigint => BigInt(`0x${(text.match(/../g) ?? []).reverse().join("")}`);
    const spelled = (little(value.slice(64)) + order).toString(16).padStart(64, "0").match(/../g)?.reverse().join("") ?? "";
    expect(() => signatureCheck(withSignature({ value: value.slice(0, 64) + spelled }))).toThrow("signature.wrong");
  });

  it("is not made by a key of small order, which would sign everything", () => {
    const key = `01${"00".repeat(31)}`;
    const keyId = toHex(sha256(fromHex(key, 32) ?? new Uint8Array(0))).slice(0, 16);
    expect(() => signatureCheck(withSignature({ public_key: key, key_id: keyId, value: `${key}${"00".repeat(32)}` }))).toThrow("signature.wrong");
  });
});

describe("files", () => {
  const text = archiveText(sealed(sampleLog()));

  async function packed(content: string): Promise<Uint8Array> {
    const stream = new Blob([content]).stream().pipeThrough(new CompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  it("are read packed with gzip as they are unpacked", async () => {
    expect((await verifyRun([{ name: "a.gz", bytes: await packed(text) }])).verdict).toBe("verified");
  });

  it("that are damaged, empty or something else fail in words", async () => {
    const whole = await packed(text);
    for (const bytes of [whole.slice(0, 500), new Uint8Array(0), bytesOf("hello"), bytesOf("[1]"), Uint8Array.of(0xff, 0xfe), bytesOf('{"version":"receipt/2"}'), bytesOf("fairstrike-archive/1 EURUSD 2026-11-29"), bytesOf("fairstrike-archive/1 EURUSD 2026-11-29\n")]) {
      const report = await verifyRun([{ name: "x", bytes }]);
      expect(report.verdict).toBe("failed");
      expect(report.groups[0]?.steps[0]?.words).toMatch(/^fault\./);
    }
  });
});
