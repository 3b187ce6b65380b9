/** Runs a check of files from their bytes to the report; the worker and tests call it. */

import type { Report } from "./report";
import { Steps, verdictOf } from "./report";
import { Broken } from "./broken";
import { unpacked } from "./unpack";
import { verify, type InputFile, type Progress } from "./verify";

export async function verifyRun(files: readonly InputFile[], progress?: Progress): Promise<Report> {
  const opened = await Promise.all(files.map(async (file) => ({ name: file.name, file: await unpacked(file) })));
  const report = verify(opened.flatMap(({ file }) => file ?? []), progress);
  for (const { name, file } of opened) if (!file) report.groups.push(damaged(name));
  return { ...report, verdict: verdictOf(report.groups.flatMap((group) => group.steps)) };
}

function damaged(name: string): Report["groups"][number] {
  const steps = new Steps("unknown", name);
  steps.check("form", () => {
    throw new Broken("gzip");
  });
  return steps.group();
}
