// The screen that is shown, and what the person does with it.

import { $, report, stage } from "./dom.js";
import { toast } from "./look.js";
import { newName, outbox, send } from "./server.js";
import { page } from "./shared.js";

const GUARD = 150; // ms: an answer so soon after a new screen is a slip of the finger

export function show() {
  showProgress();
  const first = report.hidden && page.state.active ? page.views[0] : null;
  $("waiting").hidden = !report.hidden || Boolean(first?.ready);
  if (!first?.ready || page.current === first) return;
  if (page.current) page.current.element.classList.add("waiting");
  first.element.classList.remove("waiting");
  page.current = first;
  page.shownAt = 0;
  page.lookedAway = document.hidden;
  setExcluding(false);
  if ($("zoom").open) $("zoom").close();
  requestAnimationFrame(() => setTimeout(() => page.current === first && (page.shownAt = performance.now()))); // after the paint
}

function showProgress() {
  const { state } = page;
  const done = Math.min(state.number, state.done + outbox.filter((entry) => entry.name === "answer").length);
  $("progress").value = done / state.number;
  $("progress").setAttribute("aria-valuetext", `${done} of ${state.number}`);
  const pace = state.seconds ? ` · ${Math.round(60 / Math.max(state.seconds, 0.3))} a minute · ${timeLeft((state.number - done) * state.seconds)} left` : "";
  const batch = state.batch > 1 ? `batch ${state.batch}: ` : "";
  $("pace").textContent = `${batch}${done} of ${state.number}${pace}`;
}

function timeLeft(seconds) {
  return seconds < 90 ? `${Math.max(5, Math.ceil(seconds / 5) * 5)} s` : `${Math.ceil(seconds / 60)} min`;
}

export function pick(view, place) {
  if (view !== page.current) return;
  if (page.excluding) {
    setExcluding(false);
    send("exclude", { image: view.images[place] });
    toast("This image is never shown again; Undo brings it back.", view.images[place]);
  } else answer("choice", place);
}

export function answer(kind, place = null) {
  const view = page.current;
  if (!view || view !== page.views[0] || !page.shownAt || performance.now() - page.shownAt < GUARD || document.querySelector("dialog[open]")) return;
  const seconds = page.lookedAway ? null : Math.round(performance.now() - page.shownAt) / 1000;
  const winner = place === null ? null : view.images[place];
  const light = place === null ? stage : view.choices[place].frame;
  flash(light);
  page.views.shift();
  const sent = send("answer", { id: newName(), screen: view.id, shown: view.images, kind, winner, seconds });
  view.element.classList.add("waiting");
  page.current = null;
  show();
  setTimeout(() => view.element.remove()); // after the next screen was painted
  return sent;
}

function flash(element) {
  const { left, top, width, height } = element.getBoundingClientRect();
  const light = $("flash");
  Object.assign(light.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
  light.classList.remove("on");
  requestAnimationFrame(() => requestAnimationFrame(() => light.classList.add("on"))); // never before the next screen
}

export function setExcluding(on) {
  page.excluding = on;
  $("asking").hidden = !on;
  stage.classList.toggle("excluding", on);
}
