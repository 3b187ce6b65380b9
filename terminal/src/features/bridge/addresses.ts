/** Addresses and networks as they are typed: one in a line, or with commas. */
export const typedNetworks = (typed: string): string[] => typed.split(/[\s,;]+/).filter((each) => each !== "");
