import { defineStore } from "pinia";
import { computed, ref } from "vue";
import * as auth from "@/api/auth";

/** Who is logged in, or which step of logging in is still owed. */
export const useSession = defineStore("session", () => {
  const state = ref<auth.AuthState | null>(null);
  const pendingEmail = ref("");
  const unreachable = ref(false);

  const user = computed(() => (state.value?.kind === "signed-in" ? state.value.user : null));
  const flow = computed(() => (state.value?.kind === "pending" ? state.value.flow : null));
  /** The second factors that a begun log-in may be finished with. */
  const factors = computed(() => (state.value?.kind === "pending" ? state.value.factors ?? [] : []));
  const isDevelopment = computed(() => document.documentElement.dataset["dev"] === "1");

  async function read(): Promise<void> {
    state.value = await auth.sessionRead();
  }

  /** Read the session when the page begins; false when the server gave no answer. */
  async function readFirst(): Promise<boolean> {
    unreachable.value = false;
    try {
      await read();
      return true;
    } catch {
      unreachable.value = true;
      return false;
    }
  }

  async function logIn(email: string, password: string): Promise<void> {
    pendingEmail.value = email;
    if (state.value === null) await read();
    state.value = await auth.logIn(email, password);
  }

  async function signUp(form: auth.SignUp): Promise<void> {
    pendingEmail.value = form.email;
    if (state.value === null) await read();
    state.value = await auth.signUp(form);
  }

  async function enterCode(code: string): Promise<void> {
    state.value = flow.value === "mfa_authenticate" ? await auth.secondFactor(code) : await auth.emailVerify(code);
  }

  async function resendCode(): Promise<void> {
    await auth.emailCodeResend();
  }

  async function logOut(): Promise<void> {
    state.value = await auth.logOut();
  }

  function forget(): void {
    state.value = { kind: "signed-out" };
  }

  return { state, user, flow, factors, pendingEmail, unreachable, isDevelopment, read, readFirst, logIn, signUp, enterCode, resendCode, logOut, forget };
});
