import { defineStore } from "pinia";
import { ref } from "vue";

export type Tone = "won" | "lost" | "tied" | "refunded" | "accepted" | "wait" | "refused";

export interface Notice {
  id: number;
  tone: Tone;
  title: string;
  detail: string;
}

const SHOWN_MS = 5000;
const SHOWN_AT_ONCE = 3;

/** Short notices on the screen and the same words for screen readers. */
export const useAnnouncer = defineStore("announcer", () => {
  const notices = ref<Notice[]>([]);
  const spoken = ref("");
  let counter = 0;

  function dismiss(id: number): void {
    notices.value = notices.value.filter((notice) => notice.id !== id);
  }

  function say(text: string): void {
    spoken.value = text;
  }

  function show(tone: Tone, title: string, detail = ""): void {
    counter += 1;
    const id = counter;
    notices.value = [...notices.value, { id, tone, title, detail }].slice(-SHOWN_AT_ONCE);
    say(detail ? `${title}. ${detail}` : title);
    setTimeout(() => { dismiss(id); }, SHOWN_MS);
  }

  return { notices, spoken, show, say, dismiss };
});
