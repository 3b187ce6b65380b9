import { defineStore } from "pinia";
import { ref, shallowReactive } from "vue";
import { isFields } from "@/api/messages";
import { clientId } from "@/lib/client-id";
import { remember, remembered } from "@/lib/storage";
import { TOOLS, type Drawing, type DrawingPoint, type Tool } from "./port";

/** More than anybody reads, few enough to be kept on the device. */
export const DRAWINGS_MOST = 100;
const TEXT_MOST = 200;

function isPoint(value: unknown): value is DrawingPoint {
  return isFields(value) && Number.isFinite(value["atMs"]) && Number.isFinite(value["price"]);
}

function isDrawing(value: unknown): value is Drawing {
  return isFields(value) && typeof value["id"] === "string" && TOOLS.includes(value["tool"] as Tool) && typeof value["text"] === "string"
    && Array.isArray(value["points"]) && value["points"].length > 0 && value["points"].every(isPoint);
}

const isDrawings = (value: unknown): value is Drawing[] => Array.isArray(value) && value.every(isDrawing);

/** What the user has drawn on each symbol's chart; kept on this device, at instants and prices, so it holds on every interval. */
export const useDrawings = defineStore("drawings", () => {
  const lists = shallowReactive(new Map<string, readonly Drawing[]>());
  const selected = ref<string | null>(null);

  function of(code: string): readonly Drawing[] {
    const known = lists.get(code);
    if (known) return known;
    const read = remembered<Drawing[]>(`drawings.${code}`, [], isDrawings);
    lists.set(code, read);
    return read;
  }

  function keep(code: string, list: readonly Drawing[]): void {
    lists.set(code, list);
    remember(`drawings.${code}`, list);
  }

  /** Add a drawing; answers its id, or null when there are too many. */
  function add(code: string, tool: Tool, points: readonly DrawingPoint[], text = ""): string | null {
    if (of(code).length >= DRAWINGS_MOST || points.length === 0) return null;
    const id = clientId();
    keep(code, [...of(code), { id, tool, points: points.map((each) => ({ ...each })), text: text.slice(0, TEXT_MOST) }]);
    return id;
  }

  function change(code: string, id: string, part: Partial<Pick<Drawing, "points" | "text">>): void {
    keep(code, of(code).map((each) => (each.id === id ? { ...each, ...part, text: (part.text ?? each.text).slice(0, TEXT_MOST) } : each)));
  }

  /** Move a whole drawing by time and price. */
  function shift(code: string, id: string, by: DrawingPoint): void {
    const drawing = of(code).find((each) => each.id === id);
    if (drawing) change(code, id, { points: drawing.points.map((each) => ({ atMs: each.atMs + by.atMs, price: each.price + by.price })) });
  }

  function remove(code: string, id: string): void {
    keep(code, of(code).filter((each) => each.id !== id));
    if (selected.value === id) selected.value = null;
  }

  function clear(code: string): void {
    keep(code, []);
    selected.value = null;
  }

  return { selected, of, add, change, shift, remove, clear };
});
