// A registration client that keeps the contract, as a program: JSON lines in, JSON lines out.
// Needs nothing but Node (18 and later).
//
//   dtms-lab run --client "cmd:node examples/node/client.mjs"

import { createInterface } from "node:readline";

const BASE_S = 1, FACTOR = 2, CAP_S = 30, DEADLINE_S = 60, POLL_S = 0.5;

const now = () => performance.now() / 1000;
const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

// Requests run beside each other; whichever is done first is answered first.
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  register(asked).then(
    (registered) => tell({ id: asked.id, registered, detail: "" }),
    (error) => tell({ id: asked.id, registered: null, detail: String(error) }),
  );
}

function tell(answer) {
  process.stdout.write(JSON.stringify(answer) + "\n");
}

// true: registered. false: certainly not. null: nobody knows yet.
async function register({ ticket, trade, api_url: url, timeout_s: timeoutS, retry_count: retries }) {
  if (!Number.isSafeInteger(ticket)) return false; // JSON.parse has made another number of it
  const payload = payloadOf(ticket, trade);
  const deadline = now() + DEADLINE_S;
  let mayBeThere = false;
  let waitS = 0;
  for (let failures = 1; failures <= retries + 1; failures++) {
    if (!(await sleepWithin(waitS, deadline)) || !(await ready(url, timeoutS, deadline))) break;
    const answer = await ask("POST", `${url}/dtms/trade/enable`, timeoutS, payload);
    if (answer.status === 200 && isRegistered(answer.body, payload)) return true;
    if (answer.status === 409) return false; // registered with other data
    if (isDefinite(answer.status)) {
      if (!mayBeThere) return false;
      break;
    }
    // A lost answer, a 200 that is no success, a 5xx: whatever it says, the trade may be there.
    mayBeThere ||= answer.sent && ![408, 425, 429].includes(answer.status);
    const backoffS = Math.random() * Math.min(CAP_S, BASE_S * FACTOR ** (failures - 1));
    waitS = Math.max(backoffS, answer.retryAfterS);
  }
  return mayBeThere ? readBack(url, timeoutS, payload, deadline) : false;
}

// Never throws. `status` is 0 where no answer came; `sent` is false where nothing was sent.
async function ask(method, url, timeoutS, payload) {
  try {
    const response = await fetch(url, {
      method,
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutS * 1000), // from beginning to end
      headers: payload ? { "Content-Type": "application/json" } : {},
      body: payload && JSON.stringify(payload),
    });
    const text = await response.text();
    const retryAfterS = Math.max(0, Number(response.headers.get("Retry-After")) || 0);
    return { status: response.status, sent: true, retryAfterS, body: objectOf(text) };
  } catch (error) {
    return { status: 0, sent: error.cause?.code !== "ECONNREFUSED", retryAfterS: 0, body: {} };
  }
}

// Waits until the API takes registrations, so that an outage uses up time and no attempts.
async function ready(url, timeoutS, deadline) {
  for (;;) {
    const answer = await ask("GET", `${url}/dtms/health`, timeoutS);
    if (answer.status === 200 && answer.body.ready === true) return true;
    if (!(await sleepWithin(Math.max(POLL_S, answer.retryAfterS), deadline))) return false;
  }
}

// What became of requests whose answers were lost.
async function readBack(url, timeoutS, payload, deadline) {
  do {
    const answer = await ask("GET", `${url}/dtms/trade/${payload.ticket}`, timeoutS);
    if (answer.status === 200 && echoes(answer.body.trade_info, payload)) return true;
    if (answer.status === 404) return null; // not there yet; a request may still be on its way
  } while (await sleepWithin(POLL_S, deadline));
  return null;
}

async function sleepWithin(seconds, deadline) {
  if (now() + seconds >= deadline) return false;
  await sleep(seconds);
  return true;
}

function isDefinite(status) {
  return status >= 400 && status < 500 && ![408, 425, 429].includes(status);
}

function isRegistered(body, payload) {
  return body.success === true && echoes(body.trade_info, payload);
}

// Whether it is our trade, and as we sent it.
function echoes(stored, payload) {
  if (stored === null || typeof stored !== "object") return false;
  const { entry, ...same } = payload;
  const expected = { ...same, entry_price: entry };
  return Object.keys(expected).every((name) => stored[name] === expected[name]);
}

function objectOf(text) {
  try {
    const told = JSON.parse(text);
    return told !== null && typeof told === "object" ? told : {};
  } catch {
    return {};
  }
}

// Zero is a value, not "missing".
function payloadOf(ticket, trade) {
  const flat = { ...trade.details, ...trade };
  const first = (...names) => names.map((name) => flat[name]).find((value) => value != null) ?? null;
  return {
    ticket,
    symbol: flat.symbol,
    direction: String(flat.direction).toUpperCase(),
    entry: first("entry_price", "price_executed", "price"),
    volume: first("volume", "lot"),
    stop_loss: first("stop_loss", "sl", "final_sl"),
    take_profit: first("take_profit", "tp", "final_tp"),
  };
}
