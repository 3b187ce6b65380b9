/** Gathers the evidence of an order: its receipt, the platform's keys, and the archives of the days it touches. */

import { archivePath, bytesRead, KEYS_PATH, receiptPath } from "@/api/fairness";
import { ApiProblem, NoAnswer } from "@/api/problem";
import type { InputFile } from "./verify/verify";

export interface EvidenceFile extends InputFile {
  kind: "receipt" | "keys" | "archive";
  day: string;
}

export interface Evidence {
  files: EvidenceFile[];
  /** Days whose archive could not be read. */
  missingDays: string[];
}

interface OrderTimes {
  order?: { symbol?: unknown; accepted_at?: unknown; expires_at?: unknown; open_tick?: { at?: unknown } | null };
}

/** The symbol and the UTC days that a receipt speaks of. */
export function daysOf(receipt: Uint8Array): { symbol: string; days: string[] } {
  const { order = {} } = JSON.parse(new TextDecoder().decode(receipt)) as OrderTimes;
  const instants = [order.open_tick?.at, order.accepted_at, order.expires_at].filter((each) => typeof each === "string");
  return { symbol: typeof order.symbol === "string" ? order.symbol : "", days: [...new Set(instants.map((each) => each.slice(0, 10)))].sort() };
}

async function optional(path: string): Promise<Uint8Array | null> {
  try {
    return await bytesRead(path);
  } catch (error) {
    // What is not there is told by the steps that were not made; the receipt can be checked without it.
    if (error instanceof ApiProblem || error instanceof NoAnswer) return null;
    throw error;
  }
}

/**
 * Read the evidence of an order.
 * @throws ApiProblem, NoAnswer when there is no receipt
 */
export async function evidenceRead(orderId: string, withArchives: boolean): Promise<Evidence> {
  const receipt = await bytesRead(receiptPath(orderId));
  const files: EvidenceFile[] = [{ kind: "receipt", day: "", name: `receipt-${orderId}.json`, bytes: receipt }];
  const keys = await optional(KEYS_PATH);
  if (keys) files.push({ kind: "keys", day: "", name: "keys.json", bytes: keys });
  const missingDays: string[] = [];
  const { symbol, days } = daysOf(receipt);
  for (const day of withArchives ? days : []) {
    const bytes = await optional(archivePath(symbol, day));
    if (bytes) files.push({ kind: "archive", day, name: `${symbol}-${day}.txt`, bytes });
    else missingDays.push(day);
  }
  return { files, missingDays };
}

/** Save a file as it was checked, byte by byte. */
export function fileSave({ name, bytes }: InputFile): void {
  const address = URL.createObjectURL(new Blob([bytes as Uint8Array<ArrayBuffer>]));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}
