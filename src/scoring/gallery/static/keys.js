// What can be done, by button or key; and how the page begins.

const acts = {
  compare: openMarked,
  save: savePicked,
  help: () => $("help").showModal(),
  clear: clearFilter,
  back: () => turn(-1),
  on: () => turn(1),
  beside: (button) => setBeside(Number(button.dataset.number)),
  smaller: () => zoomTo(zoom.scale / 1.4, activeRoom()),
  larger: () => zoomTo(zoom.scale * 1.4, activeRoom()),
  fit: () => zoomTo(1, activeRoom()),
  pixels: () => togglePixels(activeRoom()),
  pick: () => (togglePick(activeRow()), showPicked()),
  copy: copyCommand,
  close: (button) => button.closest("dialog").close(),
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (button) acts[button.dataset.act](button);
});

const VIEW = { ArrowLeft: "back", ArrowRight: "on", "+": "larger", "=": "larger", "-": "smaller", 0: "fit", z: "pixels", p: "pick" };
const STEPS = { ArrowLeft: [-60, 0], ArrowRight: [60, 0], ArrowUp: [0, -60], ArrowDown: [0, 60] };

function viewKey(event, key) {
  if (event.shiftKey && key in STEPS) moveBy(activeRoom(), -STEPS[key][0], -STEPS[key][1]);
  else if (/^[1-4]$/.test(key)) setBeside(Number(key));
  else if (VIEW[key]) acts[VIEW[key]]();
  else return;
  event.preventDefault();
}

// How far a key leads in the grid; null for one that leads nowhere.
function stepOf(key) {
  const lines = Math.max(1, Math.floor((window.innerHeight - $("bar").offsetHeight) / rowHeight));
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -lines * columns, PageDown: lines * columns, Home: -total, End: total };
  return steps[key] ?? null;
}

const GRID = {
  p: () => page.shown.length && togglePick(page.shown[page.at]),
  c: () => page.shown.length && toggleMark(page.shown[page.at]),
  v: openMarked,
  s: savePicked,
  "?": acts.help,
  "/": () => $("name").focus(),
  "+": () => ($("size").stepUp(), $("size").dispatchEvent(new Event("input"))),
  "-": () => ($("size").stepDown(), $("size").dispatchEvent(new Event("input"))),
};

function gridKey(event, key) {
  const step = stepOf(key);
  const isFirst = !document.activeElement?.classList.contains("open"); // the first key only goes there
  if (step !== null) goTo(isFirst && Math.abs(step) < total ? page.at : page.at + step);
  else if (GRID[key]) GRID[key]();
  else return;
  event.preventDefault();
}

document.addEventListener("keydown", (event) => {
  touched = Date.now();
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if ($("view").open) return viewKey(event, key);
  if ($("help").open || $("saved").open) return;
  if (event.target.matches("input, select")) {
    if (key !== "Escape" && !(key === "Enter" && event.target.id === "name")) return;
    event.preventDefault(); // or Enter would press the image that has the focus now
    return goTo(page.at);
  }
  gridKey(event, key);
});

// ---- a page that is kept up to date is read again, while nobody does anything in it ----

let touched = 0;
for (const what of ["pointermove", "pointerdown", "wheel", "scroll"]) window.addEventListener(what, () => (touched = Date.now()), { passive: true });

function reloadSoon() {
  const busy = document.hidden || document.querySelector("dialog[open]") || Date.now() - touched < 3000;
  if ($("reload").checked && !busy) location.reload();
}

function rememberPlace() {
  const filter = Object.fromEntries(["name", "folder", "low", "high"].map((id) => [id, $(id).value]));
  remember("sessionStorage", "place", { filter, path: about.paths[page.shown[page.at]], reload: $("reload").checked });
}

function restorePlace() {
  const place = remembered("sessionStorage", "place");
  if (!place) return;
  for (const [id, value] of Object.entries(place.filter)) $(id).value = value;
  page.at = Math.max(0, about.paths.indexOf(place.path));
  $("reload").checked = place.reload;
}

listFolders();
restorePicks();
restorePlace();
applyFilter();
$("reloading").hidden = !about.reload;
$("reload").addEventListener("change", rememberPlace);
if (about.reload) setInterval(reloadSoon, 3000);
