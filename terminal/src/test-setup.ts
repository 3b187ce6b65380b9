import { afterEach, beforeEach } from "vitest";
import { createPinia, setActivePinia } from "pinia";

beforeEach(() => {
  localStorage.clear();
  setActivePinia(createPinia());
});

afterEach(() => {
  document.body.innerHTML = "";
});
