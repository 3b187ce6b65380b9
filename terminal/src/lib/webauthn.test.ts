import { describe, expect, it } from "vitest";
import { creationOptions, credentialJson, fromBase64url, passkeyHindrance, requestOptions, toBase64url } from "./webauthn";

const bytes = (...values: number[]): ArrayBuffer => Uint8Array.from(values).buffer;

describe("bytes in JSON", () => {
  it.each([[[]], [[0]], [[251, 255]], [[255, 254, 253, 0, 1]]])("writes and reads %j without padding", (values) => {
    const text = toBase64url(bytes(...values));
    expect(text).not.toMatch(/[+/=]/);
    expect([...fromBase64url(text)]).toEqual(values);
  });
});

describe("options of the server", () => {
  it("turns challenge, user and known passkeys into bytes and keeps the rest", () => {
    const options = creationOptions({
      publicKey: { challenge: "AQI", rp: { id: "localhost", name: "F" }, user: { id: "Aw", name: "a@b.c", displayName: "a" }, pubKeyCredParams: [{ type: "public-key", alg: -7 }], excludeCredentials: [{ type: "public-key", id: "BA" }] },
    });
    expect([...(options.challenge as Uint8Array)]).toEqual([1, 2]);
    expect([...(options.user.id as Uint8Array)]).toEqual([3]);
    expect(options.rp.id).toBe("localhost");
    expect([...(options.excludeCredentials?.[0]?.id as Uint8Array)]).toEqual([4]);
  });

  it("asks for any passkey when the server names none", () => {
    expect(requestOptions({ publicKey: { challenge: "AQI", userVerification: "required" } })).toMatchObject({ allowCredentials: [], userVerification: "required" });
  });
});

describe("the device's answer", () => {
  it("carries what there is and leaves out what there is not", () => {
    const credential = {
      id: "BA", rawId: bytes(4), type: "public-key", authenticatorAttachment: "platform", getClientExtensionResults: () => ({ credProps: { rk: true } }),
      response: { clientDataJSON: bytes(1), authenticatorData: bytes(2), signature: bytes(3), userHandle: null },
    } as unknown as PublicKeyCredential;
    expect(credentialJson(credential)).toEqual({
      id: "BA", rawId: "BA", type: "public-key", authenticatorAttachment: "platform", clientExtensionResults: { credProps: { rk: true } },
      response: { clientDataJSON: "AQ", authenticatorData: "Ag", signature: "Aw" },
    });
  });
});

describe("where passkeys cannot be", () => {
  it.each([
    ["127.0.0.1", true, "address"],
    ["[::1]", true, "address"],
    ["platform.example", false, "insecure"],
    ["localhost", true, "unsupported"],
  ] as const)("says of %s with secure %s: %s", (hostname, secure, hindrance) => {
    expect(passkeyHindrance({ hostname }, secure)).toBe(hindrance);
  });
});
