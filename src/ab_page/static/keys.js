// What can be done, by button or key.

import { answer, pick, setExcluding } from "./choosing.js";
import { $, make, report } from "./dom.js";
import { askAfterModel } from "./model.js";
import { refresh, send } from "./server.js";
import { page } from "./shared.js";
import { openZoom, turnZoom, zoomKey } from "./zoom.js";

const acts = {
  undo: () => send("undo"),
  skip: () => answer("skip"),
  tie: () => answer("tie"),
  exclude: () => page.current && report.hidden && setExcluding(!page.excluding),
  cancel: () => setExcluding(false),
  zoom: () => openZoom(0),
  full: () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen?.().catch(() => {})),
  help: () => openHelp(page.state.at_once),
  model: () => send("model").then(() => askAfterModel(report.hidden)),
  finish: () => send("finish"),
  next: () => send("next"),
  here: refresh,
  note: () => ($("note").hidden = true),
  close: (button) => button.closest("dialog").close(),
  "zoom-back": () => turnZoom(-1),
  "zoom-on": () => turnZoom(1),
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (!button) return;
  acts[button.dataset.act](button);
  if (!button.closest("dialog")) button.blur(); // or the space bar would press it again
});

const KEYS = { Backspace: "undo", s: "skip", t: "tie", x: "exclude", z: "zoom", f: "full", "?": "help", m: "model", q: "finish", Escape: "cancel" };
const PLACES = { ArrowLeft: 0, ArrowRight: 1, ArrowUp: 0, ArrowDown: 1 };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !page.state) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if ($("zoom").open) zoomKey(event, key);
  else if ($("help").open) (key === "?" || key === "Escape") && (event.preventDefault(), $("help").close());
  else if ($("elsewhere").open) return;
  else if (!report.hidden) reportKey(event, key);
  else chooseKey(event, key);
});

function chooseKey(event, key) {
  const count = page.current?.images.length ?? 0;
  const place = key in PLACES ? (count === 2 ? PLACES[key] : -1) : /^[1-9]$/.test(key) ? Number(key) - 1 : -1;
  if (place >= 0 && place < count) pick(page.current, place);
  else if (KEYS[key]) acts[KEYS[key]]();
  else return;
  event.preventDefault();
}

function reportKey(event, key) {
  const act = { Backspace: "undo", q: "finish", n: "next", Enter: "next", "?": "help", f: "full", m: "model" }[key];
  if (!act || (key === "Enter" && event.target.closest("button")) || page.state.phase === "finished") return;
  event.preventDefault();
  acts[act]();
}

// Only keys that work on screens of so many images.
function openHelp(count) {
  const keys = count === 2 ? ["1", "2", "←", "→"] : ["1", "…", String(count)];
  $("choosing-keys").replaceChildren(...keys.flatMap((key) => [key === "…" ? key : make("kbd", "", key), " "]));
  $("help").showModal();
}
