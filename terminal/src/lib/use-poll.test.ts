import { flushPromises, mount } from "@vue/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { usePoll } from "./use-poll";

type Poll = ReturnType<typeof usePoll<number>>;

function polled(read: () => Promise<number>): { poll: Poll; end: () => void } {
  let poll: Poll | undefined;
  const wrapper = mount({ setup: () => { poll = usePoll(read, 1000); return () => null; } });
  return { poll: poll as Poll, end: () => { wrapper.unmount(); } };
}

function hide(hidden: boolean): void {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => {
  vi.useRealTimers();
  hide(false);
});

describe("reading again and again", () => {
  it("asks again only after the answer, and keeps the last one when a reading fails", async () => {
    const read = vi.fn().mockResolvedValueOnce(1).mockRejectedValueOnce(new Error("down")).mockResolvedValue(2);
    const { poll, end } = polled(read);
    await flushPromises();
    expect([poll.value.value, poll.failed.value]).toEqual([1, false]);
    await vi.advanceTimersByTimeAsync(1000);
    expect([poll.value.value, poll.failed.value]).toEqual([1, true]);
    await vi.advanceTimersByTimeAsync(1000);
    expect([poll.value.value, poll.failed.value]).toEqual([2, false]);
    end();
    await vi.advanceTimersByTimeAsync(5000);
    expect(read).toHaveBeenCalledTimes(3);
  });

  it("rests while the page is hidden and reads at once when it is back", async () => {
    const read = vi.fn().mockResolvedValue(1);
    const { end } = polled(read);
    await flushPromises();
    hide(true);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(read).toHaveBeenCalledTimes(1);
    hide(false);
    await flushPromises();
    expect(read).toHaveBeenCalledTimes(2);
    end();
  });

  it("drops the answer to a question that has changed", async () => {
    const answers: ((value: number) => void)[] = [];
    const { poll, end } = polled(() => new Promise((answer) => answers.push(answer)));
    void poll.restart();
    answers[1]?.(2);
    answers[0]?.(1);
    await flushPromises();
    expect(poll.value.value).toBe(2);
    end();
  });
});
