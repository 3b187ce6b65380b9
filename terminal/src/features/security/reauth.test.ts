import { describe, expect, it, vi } from "vitest";
import { ReauthNeeded } from "@/api/security";
import { confirmed, ReauthDeclined, useReauthQuestion } from "./reauth";

describe("asking once more who this is", () => {
  it("repeats the call after the answer", async () => {
    const call = vi.fn().mockRejectedValueOnce(new ReauthNeeded(["password", "code"])).mockResolvedValueOnce("done");
    const result = confirmed(call);
    await vi.waitFor(() => { expect(useReauthQuestion().open.value).toBe(true); });
    expect(useReauthQuestion().question.value?.factors).toEqual(["password", "code"]);
    useReauthQuestion().settle(true);
    expect(await result).toBe("done");
    expect(call).toHaveBeenCalledTimes(2);
  });

  it("does nothing further when it is declined", async () => {
    const call = vi.fn().mockRejectedValue(new ReauthNeeded(["password"]));
    const result = confirmed(call);
    await vi.waitFor(() => { expect(useReauthQuestion().open.value).toBe(true); });
    useReauthQuestion().settle(false);
    await expect(result).rejects.toBeInstanceOf(ReauthDeclined);
    expect(call).toHaveBeenCalledTimes(1);
  });

  it("lets other failures through", async () => {
    await expect(confirmed(() => Promise.reject(new Error("other")))).rejects.toThrow("other");
  });
});
