import { beforeEach, describe, expect, it, vi } from "vitest";
import { usePreferences } from "@/stores/preferences";
import { chordOf, keyNames, useShortcuts, type Shortcut } from "./shortcuts";

const run = vi.fn();
const press = (init: KeyboardEventInit, on: Element = document.body): KeyboardEvent => {
  const event = new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...init });
  on.addEventListener("keydown", (heard) => { useShortcuts().handle(heard as KeyboardEvent); }, { once: true });
  on.dispatchEvent(event);
  return event;
};
const shortcut = (changes: Partial<Shortcut> = {}): Shortcut => ({ id: "trade.up", keys: "ArrowUp", label: () => "Buy Up", group: "trade", run, ...changes });
const put = (html: string): Element => {
  document.body.innerHTML = html;
  return document.body.firstElementChild ?? document.body;
};

describe("shortcuts", () => {
  beforeEach(() => { run.mockReset(); });

  it("act on Demo and not on Real until they are switched on for the visit", () => {
    const keys = useShortcuts();
    keys.add(shortcut());
    press({ key: "ArrowUp" });
    usePreferences().ledger = "real";
    press({ key: "ArrowUp" });
    expect(run).toHaveBeenCalledTimes(1);
    keys.setTradeKeys(true);
    press({ key: "ArrowUp" });
    expect(run).toHaveBeenCalledTimes(2);
    expect(localStorage.getItem("fairstrike.trade_keys")).toBeNull();
  });

  it("rest while somebody types and while a dialog is open", () => {
    useShortcuts().add(shortcut({ keys: "D", group: "view" }));
    press({ key: "d", code: "KeyD" }, put("<input type=text>"));
    press({ key: "d", code: "KeyD" }, put("<textarea></textarea>"));
    put("<div role=dialog></div>");
    press({ key: "d", code: "KeyD" });
    expect(run).not.toHaveBeenCalled();
    put("<p></p>");
    press({ key: "d", code: "KeyD" });
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("work with the focus on a button but leave Space and Enter to it", () => {
    const keys = useShortcuts();
    keys.add(shortcut());
    keys.add(shortcut({ id: "x", keys: "Space", group: "view" }));
    const button = put("<button>Buy</button>");
    press({ key: "ArrowUp" }, button);
    expect(press({ key: " " }, button).defaultPrevented).toBe(false);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("leave the arrows to a group of choices that has the focus", () => {
    useShortcuts().add(shortcut());
    put("<div role=radiogroup><button role=radio>1 min</button></div>");
    press({ key: "ArrowUp" }, document.querySelector("button") ?? document.body);
    expect(run).not.toHaveBeenCalled();
  });

  it("place no second order while the key is held", () => {
    useShortcuts().add(shortcut());
    press({ key: "ArrowUp", repeat: true });
    expect(run).not.toHaveBeenCalled();
  });

  it("can be switched off where they are one character", () => {
    const keys = useShortcuts();
    keys.add(shortcut({ id: "help", keys: "?", group: "page" }));
    keys.add(shortcut({ id: "far", keys: "Alt+H", group: "page" }));
    usePreferences().singleKeys = false;
    press({ key: "?", code: "Slash", shiftKey: true });
    expect(run).not.toHaveBeenCalled();
    press({ key: "h", code: "KeyH", altKey: true });
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("take the key a user gives them, and its former holder loses it", () => {
    const keys = useShortcuts();
    keys.add(shortcut());
    keys.add(shortcut({ id: "trade.down", keys: "ArrowDown" }));
    keys.remap("trade.up", "ArrowDown");
    expect([keys.chord("trade.up"), keys.chord("trade.down")]).toEqual(["ArrowDown", ""]);
    keys.reset();
    expect([keys.chord("trade.up"), keys.chord("trade.down")]).toEqual(["ArrowUp", "ArrowDown"]);
  });

  it("know a letter by its place under another layout and a sign by what it writes", () => {
    const none = { ctrlKey: false, altKey: false, shiftKey: false, metaKey: false };
    expect(chordOf({ key: "в", code: "KeyD", ...none })).toBe("D");
    expect(chordOf({ key: "?", code: "Slash", ...none, shiftKey: true })).toBe("?");
    expect(chordOf({ key: "ArrowUp", code: "ArrowUp", ...none, shiftKey: true })).toBe("Shift+ArrowUp");
    expect(chordOf({ key: "Tab", code: "Tab", ...none })).toBe("");
    expect(keyNames("Shift+ArrowUp")).toEqual(["Shift", "↑"]);
    expect(keyNames("+")).toEqual(["+"]);
  });
});
