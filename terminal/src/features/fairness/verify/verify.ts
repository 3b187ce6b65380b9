/** Checks files against each other, without any network: receipts, archives, manifests, keys and the log of heads. */

import { archiveScan, archiveTitle, isArchive, type Archive } from "./archive";
import { Broken } from "./broken";
import { decode, isObject, parseCanonical, type Json, type JsonObject } from "./canonical";
import { archiveGroup, archiveName, type ArchiveResult } from "./verify-archive";
import { headsOf, isHeads, type HeadsLog } from "./heads";
import { isKeys, keyCheck, keysOf, type Key } from "./keys";
import { isManifest, manifestArchivesCheck, manifestRootCheck } from "./manifest";
import { isReceipt } from "./receipt";
import { Steps, verdictOf, type Group, type Report } from "./report";
import { signatureStep } from "./signature-step";
import { ReceiptCheck } from "./verify-receipt";

export interface InputFile {
  name: string;
  bytes: Uint8Array;
}

export type Progress = (bytes: number, of: number) => void;

/** A JSON document is far smaller than an archive; a larger one is not read. */
const DOCUMENT_BYTES_MAX = 16 << 20;

type Kind = Group["kind"];

interface Sorted extends InputFile {
  kind: Kind;
  text: string;
}

function looseJson(text: string): JsonObject | null {
  try {
    const value = JSON.parse(text) as Json;
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** Tell what a file is by its content; its name says nothing. */
export function recognised(file: InputFile): Sorted {
  if (isArchive(file.bytes)) return { ...file, kind: "archive", text: "" };
  if (file.bytes.length > DOCUMENT_BYTES_MAX) return { ...file, kind: "unknown", text: "" };
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(file.bytes);
  const document = looseJson(text);
  const kinds: [Kind, boolean][] = [
    ["receipt", document !== null && isReceipt(document)],
    ["manifest", document !== null && isManifest(document)],
    ["keys", document !== null && isKeys(document)],
    ["heads", isHeads(text)],
  ];
  return { ...file, kind: kinds.find(([, is]) => is)?.[0] ?? "unknown", text };
}

class Verification {
  private readonly groups: Group[] = [];
  private keys: Key[] | null = null;
  private heads: HeadsLog | null = null;
  private readonly receipts: ReceiptCheck[] = [];
  private readonly archives: { archive: Archive; bytes: Uint8Array }[] = [];
  private readonly warnings = new Set<Report["warnings"][number]>();

  constructor(
    private readonly files: readonly Sorted[],
    private readonly progress: Progress,
  ) {}

  run(): Report {
    const lists = this.of("keys").map((file) => this.readKeys(file));
    const logs = this.of("heads").map((file) => this.readHeads(file));
    for (const file of this.of("receipt")) this.receipts.push(new ReceiptCheck(file, this.keys, this.heads));
    const archives = this.readArchives();
    const manifests = this.of("manifest").map((file) => this.readManifest(file));
    this.groups.push(...this.receipts.map((each) => each.finish(archives)), ...archives.map((each) => each.group), ...manifests, ...lists, ...logs);
    this.groups.push(...this.of("unknown").map((file) => unknown(file)));
    const ready = this.receipts.map((each) => each.readyMs).filter((each) => each !== null);
    for (const each of this.receipts) for (const warning of each.warnings) this.warnings.add(warning);
    return {
      verdict: verdictOf(this.groups.flatMap((group) => group.steps)),
      warnings: [...this.warnings],
      readyMs: ready.length > 0 ? Math.max(...ready) : null,
      groups: this.groups,
    };
  }

  private of(kind: Kind): Sorted[] {
    return this.files.filter((file) => file.kind === kind);
  }

  private readKeys(file: Sorted): Group {
    const steps = new Steps("keys", file.name);
    steps.check("form", () => {
      const document = looseJson(decode(file.bytes));
      const keys = document === null ? [] : keysOf(document);
      this.keys = [...(this.keys ?? []), ...keys];
      return { values: { count: keys.length }, detail: String(keys.length) };
    });
    return steps.group();
  }

  private readHeads(file: Sorted): Group {
    const steps = new Steps("heads", file.name);
    steps.check("form", () => {
      // Every file given is read; where there are several, the later ones add to the first.
      const log = headsOf(decode(file.bytes));
      const all = this.heads ?? log;
      if (all !== log) for (const [symbol, minutes] of log) all.set(symbol, new Map([...(all.get(symbol) ?? []), ...minutes]));
      this.heads = all;
      const count = [...log.values()].reduce((sum, each) => sum + each.size, 0);
      return { values: { count }, detail: String(count) };
    });
    return steps.group();
  }

  private readArchives(): ArchiveResult[] {
    const files = this.of("archive").map((file) => ({ file, title: titleOf(file) }));
    files.sort((left, right) => (left.title < right.title ? -1 : left.title > right.title ? 1 : 0));
    const total = files.reduce((sum, each) => sum + each.file.bytes.length, 0);
    let done = 0;
    let before: ArchiveResult | null = null;
    const results: ArchiveResult[] = [];
    for (const { file } of files) {
      const from = done;
      const result: ArchiveResult = archiveGroup(file, before, {
        scan: () => this.scan(file, (bytes) => { this.progress(from + bytes, total); }),
        keys: this.keys,
        heads: this.heads,
      });
      if (result.archive) this.archives.push({ archive: result.archive, bytes: file.bytes });
      if (result.warning) this.warnings.add(result.warning);
      results.push(result);
      before = result;
      done += file.bytes.length;
    }
    return results;
  }

  private scan(file: InputFile, progress: (bytes: number) => void): Archive {
    const { symbol } = archiveTitle(file.bytes);
    const probes = this.receipts.filter((each) => each.receipt?.order.symbol === symbol).map((each) => each.probe);
    const archive = archiveScan(file.bytes, probes.map((probe) => (line) => { probe.take(line); }), progress);
    for (const probe of probes) probe.read(archive);
    return archive;
  }

  private readManifest(file: Sorted): Group {
    const steps = new Steps("manifest", file.name);
    let document: JsonObject | null = null;
    steps.check("form", () => {
      document = parseCanonical(decode(file.bytes));
      return {};
    });
    const found = document as JsonObject | null;
    if (!found) return steps.group();
    const signature = signatureStep(steps, found);
    if (signature.warning) this.warnings.add(signature.warning);
    steps.check("key", () => keyCheck(signature.signature, this.keys, found["signed_at"]));
    steps.check("root", () => manifestRootCheck(found));
    steps.check("archives", () => manifestArchivesCheck(found, this.archives));
    return steps.group({ day: typeof found["day"] === "string" ? found["day"] : "" });
  }
}

function titleOf(file: InputFile): string {
  try {
    const { symbol, day } = archiveTitle(file.bytes);
    return archiveName(symbol, day);
  } catch (error) {
    if (error instanceof Broken) return "";
    throw error;
  }
}

function unknown(file: InputFile): Group {
  const steps = new Steps("unknown", file.name);
  steps.check("form", () => {
    throw new Broken("unknown");
  });
  return steps.group();
}

export function verify(files: readonly InputFile[], progress: Progress = () => undefined): Report {
  return new Verification(files.map(recognised), progress).run();
}
