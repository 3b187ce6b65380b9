/** The Merkle tree of RFC 9162, section 2.1. */

import { sha256 } from "@noble/hashes/sha2.js";

const NODE = new Uint8Array(65);
NODE[0] = 1;

export function leafHash(data: Uint8Array): Uint8Array {
  const buffer = new Uint8Array(data.length + 1);
  buffer.set(data, 1);
  return sha256(buffer);
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  NODE.set(left, 1);
  NODE.set(right, 33);
  return sha256(NODE);
}

/**
 * The root of a tree whose leaves come one by one.
 *
 * A tree of n leaves splits at the largest power of two below n, so the whole subtrees on its left edge are the ones of
 * n's binary digits: they are kept, and joined from the right at the end.
 */
export class MerkleRoot {
  private whole: Uint8Array[] = [];
  private leaves = 0;

  get count(): number {
    return this.leaves;
  }

  add(leaf: Uint8Array): void {
    let node = leaf;
    for (let digit = this.leaves; digit % 2 === 1; digit = Math.floor(digit / 2)) {
      node = nodeHash(this.whole.pop() ?? node, node);
    }
    this.whole.push(node);
    this.leaves += 1;
  }

  /** The root so far; the next leaf begins a new tree. */
  take(): Uint8Array {
    let root = this.whole.pop() ?? sha256(new Uint8Array(0));
    for (let left = this.whole.pop(); left !== undefined; left = this.whole.pop()) root = nodeHash(left, root);
    this.leaves = 0;
    return root;
  }
}

/** The root that an inclusion path leads to (RFC 9162, section 2.1.3.2); null when the path does not fit the place. */
export function rootFromPath(leaf: Uint8Array, index: number, count: number, path: readonly Uint8Array[]): Uint8Array | null {
  if (index >= count) return null;
  let [node, first, last] = [leaf, index, count - 1];
  for (const beside of path) {
    if (last === 0) return null;
    if (first % 2 === 1 || first === last) {
      node = nodeHash(beside, node);
      while (first % 2 === 0 && first !== 0) [first, last] = [first / 2, Math.floor(last / 2)];
    } else {
      node = nodeHash(node, beside);
    }
    [first, last] = [Math.floor(first / 2), Math.floor(last / 2)];
  }
  return last === 0 ? node : null;
}
