interface Fault {
  at: number;
  what: string;
}

export function styleFaults(sheet: string): Fault[];
export function classFaults(text: string): Fault[];
declare const plugin: { rules: Record<string, unknown> };
export default plugin;
