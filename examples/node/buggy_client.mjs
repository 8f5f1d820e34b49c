// A client as one finds it: it tries again at once, and again, whatever the server asks for.
//
// The lab tells: retry_discipline. A server in trouble gets all the requests of everybody anew,
// within milliseconds, and stays in trouble.

import { createInterface } from "node:readline";

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  register(asked).then((registered) =>
    process.stdout.write(JSON.stringify({ id: asked.id, registered, detail: "" }) + "\n"),
  );
}

async function register({ ticket, trade, api_url: url, timeout_s: timeoutS, retry_count: retries }) {
  const flat = { ...trade.details, ...trade };
  const first = (...names) => names.map((name) => flat[name]).find((value) => value != null) ?? null;
  const payload = {
    ticket,
    symbol: flat.symbol,
    direction: flat.direction.toUpperCase(),
    entry: first("entry_price", "price_executed", "price"),
    volume: first("volume", "lot"),
    stop_loss: first("stop_loss", "sl", "final_sl"),
    take_profit: first("take_profit", "tp", "final_tp"),
  };
  for (let attempt = 0; attempt <= retries; attempt++) {
    try {
      const response = await fetch(`${url}/dtms/trade/enable`, {
        method: "POST",
        signal: AbortSignal.timeout(timeoutS * 1000),
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(payload),
      });
      if (response.status === 200 && (await response.json()).success === true) return true;
    } catch {
      // the bug: on to the next attempt, at once
    }
  }
  return null;
}
