// What can be done, by button or key.

import { openAbout } from "./about.js";
import { allKey, openAll } from "./all.js";
import { answer, pick, setExcluding } from "./choosing.js";
import { $, make, report } from "./dom.js";
import { nextGround, toast } from "./look.js";
import { askAfterModel } from "./model.js";
import { closeNote } from "./notes.js";
import { layOutAll } from "./screens.js";
import { refresh, send } from "./server.js";
import { page } from "./shared.js";
import { openZoom, turnZoom, zoomKey, zoomedImage } from "./zoom.js";

const acts = {
  undo,
  ground: nextGround,
  basis: (button) => {
    $("basis").hidden = !$("basis").hidden;
    button.setAttribute("aria-expanded", !$("basis").hidden);
    layOutAll();
  },
  copy: copyText,
  skip: () => answer("skip"),
  tie: () => answer("tie"),
  exclude: () => page.current && report.hidden && setExcluding(!page.excluding),
  cancel: () => (page.excluding ? setExcluding(false) : closeNote()),
  zoom: () => openZoom(0),
  about: () => page.current && report.hidden && openAbout(page.current.images),
  all: () => openAll(),
  full: () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen?.().catch(() => {})),
  help: () => openHelp(page.state.at_once),
  model: () => send("model").then(() => askAfterModel(report.hidden)),
  finish: () => send("finish", { of: page.state.ends }), // of a batch: what is sent late must not end the scorer
  next: () => send("next"),
  here: refresh,
  note: closeNote,
  close: (button) => button.closest("dialog").close(),
  "zoom-back": () => turnZoom(-1),
  "zoom-on": () => turnZoom(1),
};

async function undo() {
  const last = page.state.last;
  await send("undo");
  if (last && page.state.last !== last) toast(last.startsWith("exclusion") ? "The image you excluded is back." : "Your last choice is taken back.");
}

async function copyText(button) {
  const text = button.previousElementSibling;
  getSelection().selectAllChildren(text); // where a browser copies nothing for a page, one key is left to do
  try { await navigator.clipboard.writeText(text.textContent); } catch { document.execCommand("copy"); }
  button.textContent = "Copied";
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (!button) return;
  acts[button.dataset.act](button);
  if (!button.closest("dialog")) button.blur(); // or the space bar would press it again
});

const KEYS = { Backspace: "undo", s: "skip", t: "tie", x: "exclude", z: "zoom", i: "about", g: "all", b: "ground", f: "full", "?": "help", m: "model", q: "finish", Escape: "cancel" };
const PLACES = { ArrowLeft: 0, ArrowRight: 1, ArrowUp: 0, ArrowDown: 1 };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !page.state) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if ($("about").open) key === "i" && (event.preventDefault(), $("about").close());
  else if ($("zoom").open) key === "i" ? openAbout([zoomedImage()]) : zoomKey(event, key);
  else if ($("all").open) allKey(event, key);
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
  const act = { Escape: "note", Backspace: "undo", q: "finish", n: "next", Enter: "next", g: "all", "?": "help", f: "full", m: "model" }[key];
  if (!act || (key === "Enter" && event.target.closest("button")) || (page.state.phase === "finished" && act !== "note")) return;
  event.preventDefault();
  acts[act]();
}

// Only keys that work on screens of so many images.
function openHelp(count) {
  const keys = count === 2 ? ["1", "2", "←", "→"] : ["1", "…", String(count)];
  $("choosing-keys").replaceChildren(...keys.flatMap((key) => [key === "…" ? key : make("kbd", "", key), " "]));
  $("help").showModal();
  $("help").scrollTo(0, 0); // the button that has the focus is at its end
}
