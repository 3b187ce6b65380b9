/**
 * Colours, sizes and type are named in `src/design/tokens.css`; outside of `src/design` they may only be used by name,
 * and controls only as the parts that the design has for them.
 */

const NAMED =
  "aqua|beige|black|blue|brown|coral|crimson|cyan|fuchsia|gold|gray|green|grey|indigo|ivory|khaki|lavender|lime|magenta|maroon|navy|olive|orange|orchid|pink|plum|purple|red|salmon|sienna|silver|tan|teal|tomato|turquoise|violet|wheat|white|yellow";
const COLOUR = /#[0-9a-f]{3,8}\b|\b(?:rgba?|hsla?|hwb|lab|lch|oklab|oklch)\(/gi;
const NAMED_COLOUR = new RegExp(`(?<![\\w.#-])(?:${NAMED})(?![\\w-])`, "gi");
const LENGTH = /(?<![\w.#-])-?\d*\.?\d+(?:px|rem|em|pt)\b/g;
const FONT = /(?:^|[;{\s])(font|font-family|font-size|line-height|letter-spacing)\s*:\s*([^;}]+)/g;
/** Hair lines and the focus ring: as thin as a screen can, not a size. */
const THIN = new Set(["1px", "-1px", "2px", "-2px"]);

/** Blank out comments, and the conditions of media and container queries, where variables cannot stand; places are kept. */
function styleText(text) {
  const blank = (found) => found.replace(/[^\n]/g, " ");
  return text.replace(/\/\*[\s\S]*?\*\//g, blank).replace(/@(?:media|container|import|reference)[^{;]*/g, blank).replace(/url\([^)]*\)/g, blank);
}

/** Values of declarations only, so that a selector `.red` or `#page` is no colour. */
function values(text) {
  return [...text.matchAll(/[\w-]+\s*:\s*([^;{}]+)(?=[;}]|$)/g)].map((found) => ({ text: found[1], at: found.index + found[0].indexOf(found[1]) }));
}

/** What is wrong in a style sheet: `{ at, what }` by its place in the text. */
export function styleFaults(sheet) {
  const text = styleText(sheet);
  const faults = [];
  for (const value of values(text)) {
    const add = (pattern) => {
      for (const found of value.text.matchAll(pattern)) if (!THIN.has(found[0])) faults.push({ at: value.at + found.index, what: found[0] });
    };
    add(COLOUR);
    add(NAMED_COLOUR);
    add(LENGTH);
  }
  for (const found of text.matchAll(FONT)) {
    const [, property, value] = found;
    if (!/^\s*(?:inherit|normal|0|1|var\(|calc\()/.test(value) && !value.match(LENGTH)) faults.push({ at: found.index, what: `${property}: ${value.trim()}` });
  }
  return faults;
}

/** Tailwind values in brackets with a literal in them: `text-[13px]`, `bg-[#123456]`. */
export function classFaults(text) {
  return [...text.matchAll(/\[[^\]\s]*\]/g)]
    .filter(([inside]) => [...inside.matchAll(COLOUR)].length > 0 || [...inside.matchAll(/(?<![\w.#-])-?\d*\.?\d+(?:px|rem|em|pt)/g)].some(([length]) => !THIN.has(length)))
    .map((found) => ({ at: found.index, what: found[0] }));
}

const PARTS = { button: "UiButton, UiIconButton or UiChip", input: "UiInput, UiCheck or UiSwitch", textarea: "UiInput with multiline", select: "UiSelect", table: "UiTable", dialog: "UiDialog or UiSheet" };

function report(context, node, faults, offset) {
  for (const { at, what } of faults) {
    const start = context.sourceCode.getLocFromIndex(offset + at);
    context.report({ node, loc: { start, end: context.sourceCode.getLocFromIndex(offset + at + what.length) }, messageId: "literal", data: { what } });
  }
}

/** Texts inside an expression of `:class` or `:style`. */
function texts(node, found = []) {
  if (node === null || typeof node !== "object") return found;
  if (node.type === "Literal" && typeof node.value === "string") found.push({ node, text: node.value });
  if (node.type === "TemplateElement") found.push({ node, text: node.value.raw });
  for (const [key, value] of Object.entries(node)) {
    if (key === "parent" || key === "loc" || key === "range") continue;
    for (const child of Array.isArray(value) ? value : [value]) if (child && typeof child.type === "string") texts(child, found);
  }
  return found;
}

export const literals = {
  meta: { type: "problem", schema: [], messages: { literal: "“{{what}}” has to be a token of src/design/tokens.css." } },
  create(context) {
    const services = context.sourceCode.parserServices;
    const script = {
      Literal(node) {
        if (typeof node.value === "string" && /^(?:#[0-9a-f]{3,8}|(?:rgb|hsl)a?\(.*)$/i.test(node.value)) context.report({ node, messageId: "literal", data: { what: node.value } });
      },
      Program(node) {
        for (const child of services.getDocumentFragment?.()?.children ?? []) {
          if (child.type !== "VElement" || child.name !== "style") continue;
          for (const text of child.children) report(context, node, styleFaults(context.sourceCode.text.slice(...text.range)), text.range[0]);
        }
      },
    };
    if (!services.defineTemplateBodyVisitor) return script;
    return services.defineTemplateBodyVisitor(
      {
        "VAttribute[directive=false][key.name='class']"(node) {
          if (node.value) report(context, node, classFaults(node.value.value), node.value.range[0] + 1);
        },
        "VAttribute[directive=false][key.name='style']"(node) {
          if (node.value) report(context, node, styleFaults(`x{${node.value.value}}`).map((each) => ({ ...each, at: each.at - 2 })), node.value.range[0] + 1);
        },
        "VAttribute[directive=true][key.argument.name='class'] > VExpressionContainer"(node) {
          for (const { node: at, text } of texts(node.expression)) report(context, at, classFaults(text), at.range[0] + 1);
        },
      },
      script,
    );
  },
};

export const elements = {
  meta: { type: "problem", schema: [], messages: { raw: "<{{name}}> is made by {{part}} of src/design." } },
  create(context) {
    const services = context.sourceCode.parserServices;
    if (!services.defineTemplateBodyVisitor) return {};
    return services.defineTemplateBodyVisitor({
      VElement(node) {
        if (Object.hasOwn(PARTS, node.rawName)) context.report({ node: node.startTag, messageId: "raw", data: { name: node.rawName, part: PARTS[node.rawName] } });
      },
    });
  },
};

export default { rules: { literals, elements } };
