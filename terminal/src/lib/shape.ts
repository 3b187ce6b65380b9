/** Small readers that narrow unknown JSON: an answer is taken when it has the shape it should have, and not at all otherwise. */

/** An answer that is not what the contract says. */
export class ShapeFault extends Error {
  override readonly name = "ShapeFault";

  constructor(path: string, wanted: string) {
    super(`${path || "the answer"} is no ${wanted}`);
  }
}

export type Reader<T> = (value: unknown, path?: string) => T;
export type Shaped<R> = R extends Reader<infer T> ? T : never;

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export const text: Reader<string> = (value, path = "") => {
  if (typeof value !== "string") throw new ShapeFault(path, "text");
  return value;
};

export const whole: Reader<number> = (value, path = "") => {
  if (!Number.isSafeInteger(value)) throw new ShapeFault(path, "whole number");
  return value as number;
};

/** A measured figure: a number, or the same as decimal text. For showing and drawing, never for money. */
export const measure: Reader<number> = (value, path = "") => {
  const found = typeof value === "string" && /^-?\d+(?:\.\d+)?$/.test(value) ? Number(value) : value;
  if (typeof found !== "number" || !Number.isFinite(found)) throw new ShapeFault(path, "figure");
  return found;
};

export const flag: Reader<boolean> = (value, path = "") => {
  if (typeof value !== "boolean") throw new ShapeFault(path, "boolean");
  return value;
};

export const oneOf = <const T extends string>(...names: readonly T[]): Reader<T> => (value, path = "") => {
  const found = names.find((name) => name === value);
  if (found === undefined) throw new ShapeFault(path, names.join("|"));
  return found;
};

/** Null, and what is left out, is null. */
export const optional = <T>(read: Reader<T>): Reader<T | null> => (value, path = "") => (value === null || value === undefined ? null : read(value, path));

export const listOf = <T>(read: Reader<T>): Reader<T[]> => (value, path = "") => {
  if (!Array.isArray(value)) throw new ShapeFault(path, "list");
  return value.map((each: unknown, at) => read(each, `${path}[${String(at)}]`));
};

/** Names that are not known beforehand, each with a value of the same kind. */
export const recordOf = <T>(read: Reader<T>): Reader<Record<string, T>> => (value, path = "") => {
  if (!isFields(value)) throw new ShapeFault(path, "object");
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, read(each, `${path}.${name}`)]));
};

/** An object with these members; others are left out. */
export const shape = <S extends Record<string, Reader<unknown>>>(members: S): Reader<{ [K in keyof S]: Shaped<S[K]> }> => (value, path = "") => {
  if (!isFields(value)) throw new ShapeFault(path, "object");
  const found = Object.entries(members).map(([name, read]) => [name, read(value[name], path === "" ? name : `${path}.${name}`)]);
  return Object.fromEntries(found) as { [K in keyof S]: Shaped<S[K]> };
};
