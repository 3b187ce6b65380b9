export type Language = "curl" | "python" | "javascript";

export interface Own {
  origin: string;
  symbol: string;
}

const body = (symbol: string): string => `{"ledger": "demo", "symbol": "${symbol}", "direction": "up", "stake": "1.00", "duration_s": 60, "client_order_id": "my-first"}`;

/** A demo order in three languages, with the user's own address and symbol; each runs as it stands once TOKEN is set. */
export function sampleOf(language: Language, { origin, symbol }: Own): string {
  if (language === "curl") {
    return `export TOKEN=fs_...\n\ncurl -X POST ${origin}/api/v1/orders \\\n  -H "Authorization: Bearer $TOKEN" \\\n  -H "Content-Type: application/json" \\\n  -d '${body(symbol)}'`;
  }
  if (language === "python") {
    return `import json, os, urllib.request

order = {
    "ledger": "demo", "symbol": "${symbol}", "direction": "up",
    "stake": "1.00", "duration_s": 60, "client_order_id": "my-first",
}
request = urllib.request.Request(
    "${origin}/api/v1/orders",
    data=json.dumps(order).encode(),
    headers={
        "Authorization": f"Bearer {os.environ['TOKEN']}",
        "Content-Type": "application/json",
    },
)
with urllib.request.urlopen(request) as answer:
    print(json.load(answer))`;
  }
  return `const answer = await fetch("${origin}/api/v1/orders", {
  method: "POST",
  headers: {
    "Authorization": \`Bearer \${process.env.TOKEN}\`,
    "Content-Type": "application/json",
  },
  body: JSON.stringify({
    ledger: "demo", symbol: "${symbol}", direction: "up",
    stake: "1.00", duration_s: 60, client_order_id: "my-first",
  }),
});
console.log(answer.status, await answer.json());`;
}
