const STEP = "  ";

/**
 * Space out a JSON text without reading its values: numbers, strings and the order of members stay exactly as they came.
 * A text that is no JSON comes out as it went in.
 */
export function spacedJson(text: string): string {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  let out = "";
  let depth = 0;
  // Strings, brackets, separators, and whatever stands between them.
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    if (token === "{" || token === "[") {
      depth += 1;
      out += `${token}\n${STEP.repeat(depth)}`;
    } else if (token === "}" || token === "]") {
      depth -= 1;
      const empty = /[{[]\s*$/.test(out);
      out = empty ? out.trimEnd() + token : `${out}\n${STEP.repeat(depth)}${token}`;
    } else if (token === ",") out += `,\n${STEP.repeat(depth)}`;
    else if (token === ":") out += ": ";
    else out += token;
  }
  return out;
}
