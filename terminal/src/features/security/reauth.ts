import { readonly, ref, shallowRef } from "vue";
import { ReauthNeeded, type Factor } from "@/api/security";

/** Whoever was asked to confirm the own identity chose not to. */
export class ReauthDeclined extends Error {
  override readonly name = "ReauthDeclined";
}

interface Question {
  factors: readonly Factor[];
  answer: (confirmed: boolean) => void;
}

const question = shallowRef<Question | null>(null);
const open = ref(false);

/** The question that stands, for the dialog that asks it. */
export function useReauthQuestion() {
  function settle(confirmed: boolean): void {
    open.value = false;
    question.value?.answer(confirmed);
    question.value = null;
  }

  return { question: readonly(question), open, settle };
}

function asked(factors: readonly Factor[]): Promise<boolean> {
  question.value?.answer(false);
  return new Promise((answer) => {
    question.value = { factors, answer };
    open.value = true;
  });
}

/**
 * Make a call; when the server wants to know once more who this is, ask for it and make the call again.
 * @throws ReauthDeclined when the question was not answered
 */
export async function confirmed<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof ReauthNeeded)) throw error;
    if (!(await asked(error.factors))) throw new ReauthDeclined();
    return call();
  }
}
