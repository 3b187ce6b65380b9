/** A page that stands still while it is read bit by bit: what moves with the frames would be seen at several instants. */

import type { Page } from "@playwright/test";

declare global {
  interface Window {
    holdFrames: () => Promise<void>;
    releaseFrames: () => void;
  }
}

/** Let a page's animation frames be held. Callbacks asked for meanwhile wait and run in the first frame afterwards. */
export async function holdable(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const ask = window.requestAnimationFrame.bind(window);
    const cancel = window.cancelAnimationFrame.bind(window);
    const waiting = new Map<number, FrameRequestCallback>();
    let held = false;
    window.requestAnimationFrame = (callback) => {
      const id = ask((at) => {
        if (held) waiting.set(id, callback);
        else callback(at);
      });
      return id;
    };
    window.cancelAnimationFrame = (id) => {
      waiting.delete(id);
      cancel(id);
    };
    window.holdFrames = () => new Promise((done) => {
      ask(() => {
        held = true;
        done();
      });
    });
    window.releaseFrames = () => {
      held = false;
      ask((at) => {
        for (const [id, callback] of waiting) if (waiting.delete(id)) callback(at);
      });
    };
  });
}
