import { journal as english } from "../en/journal";

export const journal: typeof english = english;
