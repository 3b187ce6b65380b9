import type { Answer, Request } from "./verify/worker";
import type { Report } from "./verify/report";
import type { InputFile } from "./verify/verify";

/** A check that runs; `stop` ends it and its thread. */
export interface Run {
  report: Promise<Report>;
  stop: () => void;
}

/**
 * Check files in a worker of our own origin.
 *
 * The bytes are copied to it, so that the files can be saved or checked again.
 */
export function verifierStart(files: readonly InputFile[], progress: (share: number) => void): Run {
  const worker = new Worker(new URL("./verify/worker.ts", import.meta.url), { type: "module" });
  const report = new Promise<Report>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Answer>): void => {
      if (data.kind === "progress") progress(data.share);
      else if (data.kind === "report") resolve(data.report);
      else reject(new Error(data.message));
    };
    worker.onerror = (): void => { reject(new Error("the worker could not run")); };
  });
  const request: Request = { files: [...files] };
  worker.postMessage(request);
  const stop = (): void => { worker.terminate(); };
  report.then(stop, stop);
  return { report, stop };
}
