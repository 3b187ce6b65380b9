/** The step that says who signed a document. */

import type { JsonObject } from "./canonical";
import type { Steps, Warning } from "./report";
import { signatureCheck, type Signature } from "./signature";

export interface Signed {
  signature: Signature | null;
  warning: Warning | null;
}

export function signatureStep(steps: Steps, document: JsonObject): Signed {
  let signature: Signature | null = null;
  const held = steps.check("signature", () => {
    signature = signatureCheck(document);
    if (signature === null) return { outcome: "failed", words: "signature.none" };
    return { words: `signature.${signature.kind}`, values: { key: signature.keyId }, detail: signature.keyId };
  });
  const found = signature as Signature | null;
  if (found === null) return { signature: null, warning: held || document["signature"] === null ? "unsigned" : null };
  return { signature: found, warning: found.kind === "dev" ? "dev" : null };
}
