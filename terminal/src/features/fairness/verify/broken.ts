/** What a check found wrong: a key of the words that say so, and what they are filled with. */

export type Values = Record<string, string | number>;

export class Broken extends Error {
  override readonly name = "Broken";

  constructor(
    readonly fault: string,
    readonly values: Values = {},
  ) {
    super(fault);
  }
}
