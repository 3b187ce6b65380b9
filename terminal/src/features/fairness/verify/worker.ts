/** The check, in a thread of its own: an archive of a day takes seconds. */

import type { Report } from "./report";
import { verifyRun } from "./run";
import type { InputFile } from "./verify";

export interface Request {
  files: InputFile[];
}

export type Answer = { kind: "progress"; share: number } | { kind: "report"; report: Report } | { kind: "fault"; message: string };

const answer = (message: Answer): void => {
  self.postMessage(message);
};

self.onmessage = (event: MessageEvent<Request>): void => {
  const progress = (bytes: number, of: number): void => {
    answer({ kind: "progress", share: of === 0 ? 1 : bytes / of });
  };
  verifyRun(event.data.files, progress).then(
    (report) => { answer({ kind: "report", report }); },
    (error: unknown) => { answer({ kind: "fault", message: String(error) }); },
  );
};
