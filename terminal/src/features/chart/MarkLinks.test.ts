import { mount } from "@vue/test-utils";
import { describe, expect, it } from "vitest";
import { createMemoryHistory, createRouter } from "vue-router";
import { i18n } from "@/i18n";
import MarkLinks from "./MarkLinks.vue";
import type { DrawnOrder } from "./port";

const ROOM = { width: 400, height: 300 };
const router = createRouter({ history: createMemoryHistory(), routes: [{ path: "/orders/:id", name: "order", component: { template: "<i />" } }, { path: "/", component: { template: "<i />" } }] });

const order = (id: string): DrawnOrder => ({
  id, direction: "up", result: "open", openPrice: 1, openMs: 0, expiresMs: 1, closePrice: null, label: "", openText: "", expiryText: "", spoken: id,
});

function shown(...ids: string[]) {
  return mount(MarkLinks, { props: { orders: ids.map(order) }, global: { plugins: [i18n, router] } });
}

describe("links over the chart's marks", () => {
  it("stand where the chart has drawn their orders", () => {
    const links = shown("a");
    links.vm.place([{ id: "a", x: 100, y: 100 }], ROOM);
    expect(links.get<HTMLElement>(".mark").element.style.transform).toBe("translate(88px, 88px)");
    expect(links.get<HTMLElement>(".mark").element.style.visibility).toBe("visible");
  });

  it("are taken away when the chart draws their orders no more: an old place would lie over another's mark", () => {
    const links = shown("a", "b");
    links.vm.place([{ id: "a", x: 100, y: 100 }, { id: "b", x: 200, y: 100 }], ROOM);
    links.vm.place([{ id: "b", x: 100, y: 100 }], ROOM);
    expect(links.findAll<HTMLElement>(".mark").map(({ element }) => [element.style.visibility, element.style.transform])).toEqual([["hidden", ""], ["visible", "translate(88px, 88px)"]]);
    links.vm.place([{ id: "a", x: 100, y: 200 }], ROOM);
    expect(links.findAll<HTMLElement>(".mark").map(({ element }) => element.style.visibility)).toEqual(["visible", "hidden"]);
  });
});
