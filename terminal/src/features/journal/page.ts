import type { RouteComponent } from "vue-router";

/** The journal with its words. */
export async function journalPage(): Promise<RouteComponent> {
  const [page, { bringJournalWords }] = await Promise.all([import("./JournalPage.vue"), import("./words")]);
  await bringJournalWords();
  return page.default;
}
