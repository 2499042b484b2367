// The page on which one person chooses. The server decides what is shown; this module shows it.

import { show } from "./choosing.js";
import { $ } from "./dom.js";
import "./keys.js";
import { showQuestion } from "./look.js";
import { checkNotes, note } from "./notes.js";
import { closeReport, openReport } from "./report.js";
import { box, layOutAll, load, makeView } from "./screens.js";
import { outbox, pump, refresh, whenTold } from "./server.js";
import { page } from "./shared.js";

let notesSeen = null; // how many; none before the first answer of the server

function apply(state) {
  page.state = state;
  $("elsewhere").open || state.active || $("elsewhere").showModal();
  if (state.active && $("elsewhere").open) $("elsewhere").close();
  const answered = new Set(outbox.filter((entry) => entry.name === "answer").map((entry) => entry.body.screen));
  const choosing = state.phase === "choosing" || answered.size > 0;
  document.title = choosing ? state.question : "Report";
  showQuestion();
  showStanding(); // before views are made: their images are asked for in the size of the stage
  if (choosing) closeReport();
  else openReport();
  const wanted = state.screens.filter((screen) => !answered.has(screen.id));
  const old = new Map(page.views.filter((view) => !view.failed).map((view) => [view.id, view]));
  page.views = wanted.map((screen) => old.get(screen.id) ?? makeView(screen));
  document.querySelectorAll(".screen").forEach((element) => page.views.some((view) => view.element === element) || element.remove());
  const fresh = Math.min(state.notes.length, state.notes_in_all - (notesSeen ?? state.notes_in_all));
  if (fresh > 0) note(state.notes.slice(-fresh).join(" "));
  notesSeen = state.notes_in_all;
  checkNotes();
  show();
}

// What the ratings rest on, and what they are worth. A line more or less leaves the images another size.
function showStanding() {
  const { basis, progress } = page.state;
  const line = $("standing"), before = line.offsetHeight;
  $("order").value = progress.share;
  $("order").nextElementSibling.textContent = progress.text;
  $("basis").textContent = basis;
  line.querySelector("button").hidden = !basis;
  if (line.offsetHeight !== before) layOutAll();
}

let settled = 0;
window.addEventListener("resize", () => {
  layOutAll();
  clearTimeout(settled);
  settled = setTimeout(() => page.views.forEach((view) => {
    const now = box(view.images.length);
    if (now.width > view.box.width * 1.15 || now.height > view.box.height * 1.15) load(view);
  }), 300);
});
document.addEventListener("visibilitychange", () => (page.lookedAway ||= document.hidden));

if (location.search) history.replaceState(null, "", "/"); // the token is in a cookie now; out of sight, out of history
whenTold(apply);
await refresh();
pump();
