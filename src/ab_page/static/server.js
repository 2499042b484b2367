// Talking with the server: every answer is kept until the server has said that it is stored (the outbox),
// also over a reload.

import { $ } from "./dom.js";
import { answerKey, note } from "./notes.js";
import { page } from "./shared.js";

export const RETRY = 1000; // ms between attempts while the server doesn't answer
const SLOW = 2500; // ms without an answer, after which the person is told
const tab = (sessionStorage.tab ??= newName());
export const outbox = [];
let sending = false;
let apply = null; // what the page does with what the server says

export const whenTold = (act) => (apply = act);

export function newName() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

async function ask(path, body) {
  try {
    const options = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    const response = await fetch(path, { ...options, cache: "no-store", signal: AbortSignal.timeout(20000) });
    if (response.status >= 500) return { gone: true, reason: response.status === 503 ? `${await response.text()}.` : undefined };
    if (response.status === 403) return { gone: true, reason: "Open the whole address again that the scorer printed, with its token." };
    return response.ok ? { state: await response.json() } : { refused: await response.text() };
  } catch {
    return { gone: true };
  }
}

// Something to be looked at only; null where it can't be had now.
export async function fetched(path) {
  try {
    const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(20000) });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

const outboxKey = (name) => `ab-outbox:${page.state.gallery}:${name}`;

function keepOutbox() {
  if (outbox.length) localStorage.setItem(outboxKey(tab), JSON.stringify(outbox));
  else localStorage.removeItem(outboxKey(tab));
}

export const isOnItsWay = (name) => outbox.some((entry) => entry.name === name); // the server may not have heard of it

export function send(name, body = {}) {
  outbox.push({ name, body });
  keepOutbox();
  return pump();
}

// One after the other, each until it is answered: what is done here happens there in the same order, once.
export async function pump() {
  if (sending) return;
  sending = true;
  while (outbox.length) {
    const { name, body } = outbox[0];
    if (name === "undo" && !body.step) {
      body.step = page.state.last; // named, so that a second attempt can't take back another one
      keepOutbox();
    }
    const nothingToUndo = name === "undo" && !body.step;
    const slow = setTimeout(() => showGone("The scorer takes its time; what it waits for is said in the terminal."), SLOW);
    const answer = nothingToUndo ? { state: page.state } : await ask(`/api/${name}`, { ...body, tab, gallery: page.state.gallery });
    clearTimeout(slow);
    if (answer.gone) {
      showGone(answer.reason);
      await new Promise((resolve) => setTimeout(resolve, RETRY));
      continue;
    }
    outbox.shift();
    keepOutbox();
    $("banner").hidden = true;
    if (answer.refused) (name === "answer" ? note : answerKey)(answer.refused);
    if (answer.state) apply(answer.state);
    else await refresh();
  }
  sending = false;
}

function showGone(reason) {
  const kept = outbox.length;
  const what = kept === 0 ? "" : kept === 1 ? " One answer is kept here and will be sent." : ` ${kept} answers are kept here and will be sent.`;
  $("banner").textContent = (reason ?? "The scorer doesn’t answer; is it still running?") + what;
  $("banner").hidden = false;
}

// Asks where things stand, and makes this the tab in which the session goes on.
export async function refresh() {
  for (;;) {
    const answer = await ask(`/api/state?tab=${tab}`);
    if (answer.state) {
      $("banner").hidden = true;
      if (!page.state) adoptOutboxes(answer.state);
      apply(answer.state);
      return;
    }
    showGone(answer.reason);
    await new Promise((resolve) => setTimeout(resolve, RETRY));
  }
}

// Answers that a reload, or a tab that was closed, has left unsent. The server knows their names: none is stored twice.
function adoptOutboxes(first) {
  page.state = first;
  for (const key of Object.keys(localStorage).filter((key) => key.startsWith(outboxKey("")))) {
    outbox.push(...JSON.parse(localStorage.getItem(key)).filter((entry) => entry.name === "answer"));
    localStorage.removeItem(key);
  }
  keepOutbox();
}
