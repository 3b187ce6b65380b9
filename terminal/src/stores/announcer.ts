import { defineStore } from "pinia";
import { ref } from "vue";
import type { RouteLocationRaw } from "vue-router";

export type Tone = "won" | "lost" | "tied" | "refunded" | "accepted" | "wait" | "refused";

export interface Notice {
  id: number;
  tone: Tone;
  title: string;
  detail: string;
  /** Where more of it stands. */
  more?: { to: RouteLocationRaw; label: string };
}

const SHOWN_MS = 5000;
/** Who wants to follow a link has to read it first. */
const SHOWN_WITH_LINK_MS = 12_000;
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

  function show(tone: Tone, title: string, detail = "", more?: Notice["more"]): void {
    counter += 1;
    const id = counter;
    notices.value = [...notices.value, { id, tone, title, detail, ...(more ? { more } : {}) }].slice(-SHOWN_AT_ONCE);
    say(detail ? `${title}. ${detail}` : title);
    setTimeout(() => { dismiss(id); }, more ? SHOWN_WITH_LINK_MS : SHOWN_MS);
  }

  return { notices, spoken, show, say, dismiss };
});
