/** Passkeys: the browser's own calls, with the server's JSON on one side and the browser's buffers on the other. */

type Json = Record<string, unknown>;

export type PasskeyFault = "unsupported" | "address" | "insecure" | "cancelled" | "exists" | "failed";

/** The device or the browser did not do it; `fault` says why in a word of ours. */
export class PasskeyFailed extends Error {
  override readonly name = "PasskeyFailed";

  constructor(readonly fault: PasskeyFault) {
    super(`passkey: ${fault}`);
  }
}

/** Decode base64url without padding, as WebAuthn writes bytes in JSON. */
export function fromBase64url(text: string): Uint8Array<ArrayBuffer> {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0));
}

/** The inverse of `fromBase64url`. */
export function toBase64url(buffer: ArrayBuffer): string {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

const isJson = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);
const bytesOf = (value: unknown): Uint8Array<ArrayBuffer> => fromBase64url(typeof value === "string" ? value : "");

function descriptors(value: unknown): PublicKeyCredentialDescriptor[] {
  const listed = Array.isArray(value) ? value.filter(isJson) : [];
  return listed.map((each) => ({ ...each, id: bytesOf(each["id"]) }) as unknown as PublicKeyCredentialDescriptor);
}

/** The options of a new passkey, out of the server's JSON. */
export function creationOptions(json: Json): PublicKeyCredentialCreationOptions {
  const key = isJson(json["publicKey"]) ? json["publicKey"] : json;
  const user = isJson(key["user"]) ? key["user"] : {};
  return {
    ...(key as unknown as PublicKeyCredentialCreationOptions),
    challenge: bytesOf(key["challenge"]),
    user: { ...(user as unknown as PublicKeyCredentialUserEntity), id: bytesOf(user["id"]) },
    excludeCredentials: descriptors(key["excludeCredentials"]),
  };
}

/** The options of a proof by passkey, out of the server's JSON. */
export function requestOptions(json: Json): PublicKeyCredentialRequestOptions {
  const key = isJson(json["publicKey"]) ? json["publicKey"] : json;
  return {
    ...(key as unknown as PublicKeyCredentialRequestOptions),
    challenge: bytesOf(key["challenge"]),
    allowCredentials: descriptors(key["allowCredentials"]),
  };
}

/** What the device made, as JSON for the server. Written out here: not every browser that has passkeys has `toJSON`. */
export function credentialJson(credential: PublicKeyCredential): Json {
  const { response } = credential;
  const parts: Record<string, ArrayBuffer | null | undefined> = {
    clientDataJSON: response.clientDataJSON,
    attestationObject: (response as Partial<AuthenticatorAttestationResponse>).attestationObject,
    authenticatorData: (response as Partial<AuthenticatorAssertionResponse>).authenticatorData,
    signature: (response as Partial<AuthenticatorAssertionResponse>).signature,
    userHandle: (response as Partial<AuthenticatorAssertionResponse>).userHandle,
  };
  const written = Object.entries(parts).flatMap(([name, value]) => (value instanceof ArrayBuffer ? [[name, toBase64url(value)]] : []));
  return {
    id: credential.id,
    rawId: toBase64url(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: Object.fromEntries(written) as Json,
  };
}

/** Why passkeys cannot be used on this page, or null. An address that is a number is no name a passkey can be bound to. */
export function passkeyHindrance(page: { hostname: string } = location, secure = globalThis.isSecureContext): "unsupported" | "address" | "insecure" | null {
  if (/^[\d.]+$|^\[/.test(page.hostname)) return "address";
  if (!secure) return "insecure";
  return typeof globalThis.PublicKeyCredential === "function" ? null : "unsupported";
}

const FAULTS: Record<string, PasskeyFault> = { NotAllowedError: "cancelled", AbortError: "cancelled", InvalidStateError: "exists", SecurityError: "address" };

async function asked(call: () => Promise<Credential | null>): Promise<Json> {
  const hindrance = passkeyHindrance();
  if (hindrance !== null) throw new PasskeyFailed(hindrance);
  let credential: Credential | null;
  try {
    credential = await call();
  } catch (error) {
    throw new PasskeyFailed(FAULTS[error instanceof Error ? error.name : ""] ?? "failed");
  }
  if (credential === null) throw new PasskeyFailed("cancelled");
  return credentialJson(credential as PublicKeyCredential);
}

/** Let the device make a passkey. @throws PasskeyFailed */
export function passkeyMake(options: Json): Promise<Json> {
  return asked(() => navigator.credentials.create({ publicKey: creationOptions(options) }));
}

/** Let the device prove a passkey. @throws PasskeyFailed */
export function passkeyProve(options: Json): Promise<Json> {
  return asked(() => navigator.credentials.get({ publicKey: requestOptions(options) }));
}
