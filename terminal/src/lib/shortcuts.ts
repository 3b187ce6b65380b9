/**
 * The keys of the page: one registry, so that they can be listed, given other keys and switched off.
 *
 * A shortcut is a chord such as `ArrowUp`, `Shift+D` or `?`. It rests while somebody types, while a dialog or a menu
 * is open, and it never takes Space or Enter from a button that has the focus. Trading keys are off on Real until they
 * are switched on for this visit.
 */

import { defineStore } from "pinia";
import { computed, onScopeDispose, reactive, ref } from "vue";
import { usePreferences } from "@/stores/preferences";

export type ShortcutGroup = "trade" | "ticket" | "view" | "page";

export interface Shortcut {
  /** Stable name, such as `trade.up`; the user's own key is remembered under it. */
  id: string;
  /** The chord it has unless the user gave it another. */
  keys: string;
  /** Its name in the list, translated; a function, so that it follows the language. */
  label: () => string;
  group: ShortcutGroup;
  run: (event: KeyboardEvent) => void;
  /** Whether it can act now; without it, always. */
  when?: () => boolean;
}

const MODIFIERS = ["Ctrl", "Alt", "Shift", "Meta"] as const;
const ALONE = new Set(["Control", "Alt", "Shift", "Meta", "CapsLock", "Dead", "Unidentified", "Tab", "Escape"]);
const PRESSES = new Set(["Enter", "Space"]);

/** The chord of a key press, or nothing for a modifier alone and for keys the page must not take. */
export function chordOf(event: Pick<KeyboardEvent, "key" | "code" | "ctrlKey" | "altKey" | "shiftKey" | "metaKey">): string {
  if (ALONE.has(event.key)) return "";
  const latin = /^Key([A-Z])$/.exec(event.code)?.[1];
  // A letter is known by its place, so that it works under a Cyrillic layout; a sign by what it writes.
  const key = latin ?? (event.key === " " ? "Space" : event.key);
  const sign = key.length === 1 && latin === undefined;
  const held = [event.ctrlKey, event.altKey, event.shiftKey && !sign, event.metaKey];
  return [...MODIFIERS.filter((_, at) => held[at]), key].join("+");
}

/** A chord of one letter, digit or sign without Ctrl, Alt or Meta: what WCAG 2.1.4 lets the user switch off. */
export function isSingle(chord: string): boolean {
  return chord.replace(/^Shift\+/, "").length === 1;
}

/** A chord as the keys are printed. */
export function keyNames(chord: string): string[] {
  const printed: Record<string, string> = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", Meta: "⌘" };
  if (chord === "") return [];
  const parts = chord === "+" ? ["+"] : chord.endsWith("++") ? [...chord.slice(0, -2).split("+"), "+"] : chord.split("+");
  return parts.map((part) => printed[part] ?? part);
}

function typing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.closest("[role=textbox], [role=combobox], [role=spinbutton]")) return true;
  if (target instanceof HTMLInputElement) return !["checkbox", "radio", "button", "submit", "reset", "file"].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

/** Arrow keys belong to the widget that has the focus where they move inside it. */
function steered(target: EventTarget | null, chord: string): boolean {
  if (!(target instanceof HTMLElement) || !/^(Shift\+)?(Arrow|Home|End|Page)/.test(chord)) return false;
  return target.closest("[role=radiogroup], [role=tablist], [role=grid], [role=listbox], [role=slider], [role=separator][tabindex], [role=figure], [data-own-keys]") !== null;
}

function covered(): boolean {
  return document.querySelector("[role=dialog]:not([data-aside]), [role=alertdialog], [role=menu]") !== null;
}

export const useShortcuts = defineStore("shortcuts", () => {
  const preferences = usePreferences();
  const list = reactive(new Map<string, Shortcut>());
  /** Trading keys on Real, for this visit only: gone with the page. */
  const realKeys = ref(false);

  const tradeKeysOn = computed(() => (preferences.ledger === "real" ? realKeys.value : preferences.tradeKeys));
  const shortcuts = computed(() => [...list.values()]);

  /** The chord a shortcut has now; empty when the user took it away. */
  const chord = (id: string): string => preferences.keys[id] ?? list.get(id)?.keys ?? "";

  /** Another shortcut that has this chord. */
  const holder = (keys: string, except: string): Shortcut | undefined => shortcuts.value.find((each) => each.id !== except && keys !== "" && chord(each.id) === keys);

  /** Give a shortcut another chord on this device; its former holder loses it. */
  function remap(id: string, keys: string): void {
    const former = holder(keys, id);
    if (former) preferences.keys[former.id] = "";
    if (keys === list.get(id)?.keys) Reflect.deleteProperty(preferences.keys, id);
    else preferences.keys[id] = keys;
  }

  function reset(id?: string): void {
    if (id === undefined) preferences.keys = {};
    else Reflect.deleteProperty(preferences.keys, id);
  }

  /** Switch the trading keys for the account that is chosen now. */
  function setTradeKeys(on: boolean): void {
    if (preferences.ledger === "real") realKeys.value = on;
    else preferences.tradeKeys = on;
  }

  function rests(shortcut: Shortcut, keys: string): boolean {
    if (shortcut.group === "trade" && !tradeKeysOn.value) return true;
    if (!preferences.singleKeys && isSingle(keys)) return true;
    return shortcut.when?.() === false;
  }

  function handle(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.isComposing || typing(event.target) || covered()) return;
    const keys = chordOf(event);
    if (keys === "" || steered(event.target, keys)) return;
    if (PRESSES.has(keys === "Enter" ? "Enter" : keys) && event.target instanceof HTMLElement && event.target.closest("button, a, summary, label, [role=button], [role=switch], [role=checkbox], [tabindex]")) return;
    const shortcut = shortcuts.value.find((each) => chord(each.id) === keys && !rests(each, keys));
    // A key that is held down places no second order.
    if (!shortcut || (event.repeat && shortcut.group === "trade")) return;
    event.preventDefault();
    shortcut.run(event);
  }

  function add(shortcut: Shortcut): () => void {
    list.set(shortcut.id, shortcut);
    return () => { if (list.get(shortcut.id)?.run === shortcut.run) list.delete(shortcut.id); };
  }

  return { list, shortcuts, realKeys, tradeKeysOn, chord, holder, remap, reset, setTradeKeys, handle, add };
});

/** Offer a shortcut while the component lives. The group `trade` is for what places or closes an order. */
export function useShortcut(shortcut: Shortcut): void {
  onScopeDispose(useShortcuts().add(shortcut));
}
