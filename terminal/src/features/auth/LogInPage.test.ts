import { flushPromises, mount } from "@vue/test-utils";
import { createPinia, setActivePinia } from "pinia";
import { describe, expect, it, vi } from "vitest";
import * as auth from "@/api/auth";
import { i18n } from "@/i18n";
import { useSession } from "@/stores/session";
import LogInPage from "./LogInPage.vue";

function page() {
  useSession().state = { kind: "signed-out" };
  return mount(LogInPage, { global: { plugins: [i18n], stubs: { RouterLink: true } } });
}

describe("log-in", () => {
  it("says what is wrong and keeps what was typed", async () => {
    vi.spyOn(auth, "logIn").mockRejectedValue(new auth.AuthRefused(400, [{ code: "email_password_mismatch", message: "no", param: "password" }]));
    const form = page();
    await form.get("[name=email]").setValue("trader@example.com");
    await form.get("[name=password]").setValue("wrong");
    await form.get("form").trigger("submit");
    await flushPromises();
    expect(form.get("[role=alert]").text()).toContain("E-mail or password is wrong.");
    expect(form.get<HTMLInputElement>("[name=password]").element.value).toBe("wrong");
  });

  it("tells of the limit on failed attempts", async () => {
    vi.spyOn(auth, "logIn").mockRejectedValue(new auth.AuthRefused(400, [{ code: "too_many_login_attempts", message: "no", param: "email" }]));
    const form = page();
    await form.get("[name=email]").setValue("trader@example.com");
    await form.get("[name=password]").setValue("wrong");
    await form.get("form").trigger("submit");
    await flushPromises();
    expect(form.get("[role=alert]").text()).toContain("Too many failed attempts");
  });

  it("asks for empty fields without a request", async () => {
    const call = vi.spyOn(auth, "logIn");
    const form = page();
    await form.get("form").trigger("submit");
    await flushPromises();
    expect(call).not.toHaveBeenCalled();
    expect(form.get("[name=email]").attributes("aria-invalid")).toBe("true");
  });

  it("offers the demo log-in in development only", () => {
    expect(page().find("[data-testid=demo-log-in]").exists()).toBe(false);
    document.documentElement.dataset["dev"] = "1";
    setActivePinia(createPinia());
    expect(page().find("[data-testid=demo-log-in]").exists()).toBe(true);
    delete document.documentElement.dataset["dev"];
  });
});
