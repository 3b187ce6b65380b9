import { defineStore } from "pinia";
import { computed, ref, shallowRef } from "vue";
import { http, unwrap } from "@/api/client";
import { remember, remembered } from "@/lib/storage";
import { useSession } from "./session";

/** What an event tells of an alert of the bridge. */
export interface RaisedAlert {
  id: string;
  kind: string;
  account: string;
  server: string;
  address: string;
  at: string;
}

/** Beyond so many it is enough to know that there are many. */
const COUNTED_MOST = 10;
const isText = (value: unknown): value is string => typeof value === "string";

/** Alerts of the bridge that their owner has not looked at; how far one has looked is remembered on this device. */
export const useBridgeAlerts = defineStore("bridge-alerts", () => {
  const session = useSession();
  /** Instants of the newest, by their ids; instants of one form compare as texts. */
  const raised = shallowRef<ReadonlyMap<string, string>>(new Map());
  const seenUpTo = ref("");
  /** The newest that came while the page stands. */
  const last = shallowRef<RaisedAlert | null>(null);
  const unseen = computed(() => [...raised.value.values()].filter((at) => at > seenUpTo.value).length);
  /** The number as it is shown; empty for none. */
  const count = computed(() => (unseen.value === 0 ? "" : unseen.value < COUNTED_MOST ? String(unseen.value) : `${String(COUNTED_MOST - 1)}+`));
  const place = (): string => `bridge-alerts.${String(session.user?.id ?? "")}`;

  function add(alerts: readonly { id: string; at: string }[]): void {
    const all = new Map([...raised.value, ...alerts.map(({ id, at }) => [id, at] as const)]);
    raised.value = new Map([...all].sort(([, a], [, b]) => (a < b ? -1 : 1)).slice(-COUNTED_MOST));
  }

  /** Read how many wait; whoever has none of a bridge reads an empty list, and a failure only costs the number. */
  async function read(): Promise<void> {
    seenUpTo.value = remembered(place(), "", isText);
    const page = await unwrap(http.GET("/api/v1/ea/alerts", { params: { query: { limit: COUNTED_MOST } } })).catch(() => null);
    if (page) add(page.data);
  }

  function apply(alert: RaisedAlert): void {
    add([alert]);
    last.value = alert;
  }

  /** All that are known have been looked at. */
  function look(): void {
    const newest = [...raised.value.values()].reduce((most, at) => (at > most ? at : most), seenUpTo.value);
    if (newest === seenUpTo.value) return;
    seenUpTo.value = newest;
    remember(place(), newest);
  }

  function clear(): void {
    raised.value = new Map();
    last.value = null;
    seenUpTo.value = "";
  }

  return { unseen, count, last, read, apply, add, look, clear };
});
