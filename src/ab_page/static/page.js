// The page on which one person chooses. The server decides what is shown; this module shows it, loads the next screens
// meanwhile, and keeps every answer until the server has said that it is stored (the outbox), also over a reload.

const GUARD = 150; // ms: an answer so soon after a new screen is a slip of the finger
const GAP = 8; // px between images, as in the style sheet
const RETRY = 1000; // ms between attempts while the server doesn't answer
const $ = (id) => document.getElementById(id);
const stage = $("stage"), report = $("report");

const tab = (sessionStorage.tab ??= newName());
let state = null; // what the server said last
let views = []; // the screens that aren't answered yet, first the one that is shown
let current = null; // the view that is shown
let shownAt = 0; // when it was painted; 0: not yet
let lookedAway = false; // then the time it took says nothing
let outbox = [];
const attempts = new Map(); // screen -> how often its images did not come
let sending = false, excluding = false;
let notesSeen = null; // how many; none before the first answer of the server

function newName() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

// ---- talking with the server ----

async function ask(path, body) {
  try {
    const options = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    const response = await fetch(path, { ...options, cache: "no-store", signal: AbortSignal.timeout(20000) });
    if (response.status >= 500) return { gone: true };
    if (response.status === 403) return { gone: true, reason: "Open the whole address again that the scorer printed, with its token." };
    return response.ok ? { state: await response.json() } : { refused: await response.text() };
  } catch {
    return { gone: true };
  }
}

const outboxKey = (name) => `ab-outbox:${state.gallery}:${name}`;

function keepOutbox() {
  if (outbox.length) localStorage.setItem(outboxKey(tab), JSON.stringify(outbox));
  else localStorage.removeItem(outboxKey(tab));
}

function send(name, body = {}) {
  outbox.push({ name, body });
  keepOutbox();
  return pump();
}

// One after the other, each until it is answered: what is done here happens there in the same order, once.
async function pump() {
  if (sending) return;
  sending = true;
  while (outbox.length) {
    const { name, body } = outbox[0];
    if (name === "undo" && !body.step) {
      body.step = state.last; // named, so that a second attempt can't take back another one
      keepOutbox();
    }
    const nothingToUndo = name === "undo" && !body.step;
    const answer = nothingToUndo ? { state } : await ask(`/api/${name}`, { ...body, tab, gallery: state.gallery });
    if (answer.gone) {
      showGone(answer.reason);
      await new Promise((resolve) => setTimeout(resolve, RETRY));
      continue;
    }
    outbox.shift();
    keepOutbox();
    $("banner").hidden = true;
    if (answer.refused) note(answer.refused);
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
async function refresh() {
  for (;;) {
    const answer = await ask(`/api/state?tab=${tab}`);
    if (answer.state) {
      $("banner").hidden = true;
      if (!state) adoptOutboxes(answer.state);
      apply(answer.state);
      return;
    }
    showGone(answer.reason);
    await new Promise((resolve) => setTimeout(resolve, RETRY));
  }
}

// Answers that a reload, or a tab that was closed, has left unsent. The server knows their names: none is stored twice.
function adoptOutboxes(first) {
  state = first;
  for (const key of Object.keys(localStorage).filter((key) => key.startsWith(outboxKey("")))) {
    outbox.push(...JSON.parse(localStorage.getItem(key)).filter((entry) => entry.name === "answer"));
    localStorage.removeItem(key);
  }
  keepOutbox();
}

// ---- showing what the server says ----

function apply(next) {
  state = next;
  $("elsewhere").open || state.active || $("elsewhere").showModal();
  if (state.active && $("elsewhere").open) $("elsewhere").close();
  const answered = new Set(outbox.filter((entry) => entry.name === "answer").map((entry) => entry.body.screen));
  const choosing = state.phase === "choosing" || answered.size > 0;
  document.title = choosing ? "Which is better?" : "Report";
  showStanding(); // before views are made: their images are asked for in the size of the stage
  if (choosing) closeReport();
  else openReport();
  const wanted = state.screens.filter((screen) => !answered.has(screen.id));
  const old = new Map(views.filter((view) => !view.failed).map((view) => [view.id, view]));
  views = wanted.map((screen) => old.get(screen.id) ?? makeView(screen));
  document.querySelectorAll(".screen").forEach((element) => views.some((view) => view.element === element) || element.remove());
  const fresh = Math.min(state.notes.length, state.notes_in_all - (notesSeen ?? state.notes_in_all));
  if (fresh > 0) note(state.notes.slice(-fresh).join(" "));
  notesSeen = state.notes_in_all;
  show();
}

// What the ratings rest on, and what they are worth. A line more or less leaves the images another size.
function showStanding() {
  const line = $("standing"), before = line.offsetHeight;
  [state.basis, state.standing].forEach((text, place) => (line.children[place].textContent = text));
  line.hidden = !state.basis && !state.standing;
  if (line.offsetHeight !== before) views.forEach((view) => view.ready && layOut(view));
}

function showProgress() {
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

function box(count) {
  const share = (count > 3 ? 0.6 : 1) * Math.min(window.devicePixelRatio, 3);
  return { width: Math.ceil(stage.clientWidth * share), height: Math.ceil(stage.clientHeight * share) };
}

function address(image, { width, height }) {
  return `/image/${image}?width=${Math.ceil(width / 64) * 64}&height=${Math.ceil(height / 64) * 64}`;
}

// The images of a screen, in the page but not visible, so that showing them is only a change of style.
function makeView(screen) {
  const view = { id: screen.id, images: screen.images, element: make("div", "screen waiting"), ready: false, failed: false, box: null };
  view.element.classList.toggle("many", screen.images.length > 2);
  view.choices = screen.images.map((image, place) => {
    const button = make("button", "choice");
    const name = placeName(place, screen.images.length);
    button.setAttribute("aria-label", `${name} is better`);
    const picture = make("img");
    picture.alt = name;
    picture.decoding = "sync"; // painted with the frame that shows it, not after
    picture.draggable = false;
    picture.setAttribute("elementtiming", `${screen.id} ${place}`);
    const frame = make("span", "frame", picture, make("span", "number", String(place + 1)));
    button.append(frame);
    button.addEventListener("click", () => pick(view, place));
    view.element.append(button);
    return { button, frame, picture };
  });
  load(view);
  stage.append(view.element);
  return view;
}

async function load(view) {
  view.box = box(view.images.length);
  const size = view.box;
  try {
    await Promise.all(view.choices.map(({ picture }, place) => {
      picture.src = address(view.images[place], size);
      return picture.decode();
    }));
  } catch {
    if (view.box === size) lost(view);
    return;
  }
  view.ready = true;
  layOut(view);
  if (view === views[0]) show();
}

// An image didn't come: either it can't be shown, then the server has replaced the screen, or the server is gone.
async function lost(view) {
  if (!views.includes(view)) return;
  view.failed = true;
  const attempt = attempts.get(view.id) ?? 0;
  attempts.set(view.id, attempt + 1);
  await new Promise((resolve) => setTimeout(resolve, Math.min(5 * RETRY, 50 * 4 ** attempt)));
  if (views.includes(view)) await refresh();
}

function placeName(place, count) {
  return count === 2 ? ["Left image", "Right image"][place] : `Image ${place + 1} of ${count}`;
}

// As many columns as make the images largest; each as large as its place allows.
function layOut(view) {
  const { clientWidth: width, clientHeight: height } = stage;
  const shapes = view.choices.map(({ picture }) => picture.naturalWidth / picture.naturalHeight || 1);
  let best = { area: -1 };
  for (let columns = shapes.length; columns >= 1; columns--) {
    const rows = Math.ceil(shapes.length / columns);
    const w = width / columns, h = height / rows;
    const area = shapes.reduce((sum, shape) => sum + Math.min(w, h * shape) ** 2 / shape, 0);
    if (area > best.area * 1.02) best = { area, columns, rows };
  }
  view.element.style.setProperty("--columns", best.columns);
  view.element.style.setProperty("--rows", best.rows);
  const room = { width: (width - GAP * (best.columns - 1)) / best.columns, height: (height - GAP * (best.rows - 1)) / best.rows };
  view.choices.forEach(({ frame }, place) => {
    const across = Math.min(room.width, room.height * shapes[place]);
    Object.assign(frame.style, { width: `${across}px`, height: `${across / shapes[place]}px` });
  });
  if (view.images.length === 2) {
    const names = best.columns === 1 ? ["Upper image", "Lower image"] : ["Left image", "Right image"];
    view.choices.forEach(({ button, picture }, place) => {
      picture.alt = names[place];
      button.setAttribute("aria-label", `${names[place]} is better`);
    });
  }
}

function show() {
  showProgress();
  const first = report.hidden && state.active ? views[0] : null;
  $("waiting").hidden = !report.hidden || Boolean(first?.ready);
  if (!first?.ready || current === first) return;
  if (current) current.element.classList.add("waiting");
  first.element.classList.remove("waiting");
  current = first;
  shownAt = 0;
  lookedAway = document.hidden;
  setExcluding(false);
  if ($("zoom").open) $("zoom").close();
  requestAnimationFrame(() => setTimeout(() => current === first && (shownAt = performance.now()))); // after the paint
}

function flash(element) {
  const { left, top, width, height } = element.getBoundingClientRect();
  const light = $("flash");
  Object.assign(light.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
  light.classList.remove("on");
  requestAnimationFrame(() => requestAnimationFrame(() => light.classList.add("on"))); // never before the next screen
}

function note(text) {
  $("note").firstElementChild.textContent = text;
  $("note").hidden = false;
}

// ---- what the person does ----

function pick(view, place) {
  if (view !== current) return;
  if (excluding) {
    setExcluding(false);
    send("exclude", { image: view.images[place] });
  } else answer("choice", place);
}

function answer(kind, place = null) {
  const view = current;
  if (!view || view !== views[0] || !shownAt || performance.now() - shownAt < GUARD || document.querySelector("dialog[open]")) return;
  const seconds = lookedAway ? null : Math.round(performance.now() - shownAt) / 1000;
  const winner = place === null ? null : view.images[place];
  const light = place === null ? stage : view.choices[place].frame;
  flash(light);
  views.shift();
  const sent = send("answer", { id: newName(), screen: view.id, shown: view.images, kind, winner, seconds });
  view.element.classList.add("waiting");
  current = null;
  show();
  setTimeout(() => view.element.remove()); // after the next screen was painted
  return sent;
}

function setExcluding(on) {
  excluding = on;
  $("asking").hidden = !on;
  stage.classList.toggle("excluding", on);
}

const acts = {
  undo: () => send("undo"),
  skip: () => answer("skip"),
  tie: () => answer("tie"),
  exclude: () => current && report.hidden && setExcluding(!excluding),
  cancel: () => setExcluding(false),
  zoom: () => openZoom(0),
  full: () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen?.().catch(() => {})),
  help: () => openHelp(state.at_once),
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

const KEYS = { Backspace: "undo", s: "skip", t: "tie", x: "exclude", z: "zoom", f: "full", "?": "help", q: "finish", Escape: "cancel" };
const PLACES = { ArrowLeft: 0, ArrowRight: 1, ArrowUp: 0, ArrowDown: 1 };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !state) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if ($("zoom").open) zoomKey(event, key);
  else if ($("help").open) (key === "?" || key === "Escape") && (event.preventDefault(), $("help").close());
  else if ($("elsewhere").open) return;
  else if (!report.hidden) reportKey(event, key);
  else chooseKey(event, key);
});

function chooseKey(event, key) {
  const count = current?.images.length ?? 0;
  const place = key in PLACES ? (count === 2 ? PLACES[key] : -1) : /^[1-9]$/.test(key) ? Number(key) - 1 : -1;
  if (place >= 0 && place < count) pick(current, place);
  else if (KEYS[key]) acts[KEYS[key]]();
  else return;
  event.preventDefault();
}

function reportKey(event, key) {
  const act = { Backspace: "undo", q: "finish", n: "next", Enter: "next", "?": "help", f: "full" }[key];
  if (!act || (key === "Enter" && event.target.closest("button")) || state.phase === "finished") return;
  event.preventDefault();
  acts[act]();
}

// Only keys that work on screens of so many images.
function openHelp(count) {
  const keys = count === 2 ? ["1", "2", "←", "→"] : ["1", "…", String(count)];
  $("choosing-keys").replaceChildren(...keys.flatMap((key) => [key === "…" ? key : make("kbd", "", key), " "]));
  $("help").showModal();
}

// ---- zoom ----

let zoomPlace = 0;

function openZoom(place) {
  if (!current || !report.hidden) return;
  zoomPlace = place;
  const picture = $("zoomed").querySelector("img");
  const { frame, picture: shown } = current.choices[place];
  picture.src = `/image/${current.images[place]}/full`;
  picture.alt = shown.alt;
  picture.style.minWidth = `${frame.clientWidth}px`; // a small image was enlarged already: never smaller than that
  $("zoom-place").textContent = `${place + 1} of ${current.images.length}`;
  if ($("zoom").open) return;
  lookedAway = true;
  $("zoom").showModal();
  $("zoomed").focus();
  picture.addEventListener("load", () => {
    const room = $("zoomed");
    room.scrollTo((room.scrollWidth - room.clientWidth) / 2, (room.scrollHeight - room.clientHeight) / 2);
  }, { once: true });
}

const turnZoom = (step) => openZoom((zoomPlace + step + current.images.length) % current.images.length);

function zoomKey(event, key) {
  const place = /^[1-9]$/.test(key) ? Number(key) - 1 : -1;
  if (key === "ArrowLeft" || key === "ArrowRight") turnZoom(key === "ArrowLeft" ? -1 : 1);
  else if (place >= 0 && place < current.images.length) openZoom(place);
  else if (key === "z") $("zoom").close();
  else return;
  event.preventDefault();
}

$("zoomed").addEventListener("pointermove", (event) => {
  if (event.pointerType === "mouse" && event.buttons === 1) $("zoomed").scrollBy(-event.movementX, -event.movementY);
});

// ---- the report ----

function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

function makeSvg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const percent = (share) => (share === null ? "–" : `${Math.round(100 * share)} %`);
const many = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;
const range = (share) => (share.total ? `95 % interval ${percent(share.low)} to ${percent(share.high)}, of ${share.total}` : "nothing to count yet");

function card(title, big, ...lines) {
  const element = make("div", "card", make("h2", "", title));
  if (big !== null) element.append(make("div", "big", big));
  element.append(...lines.map((line) => (typeof line === "string" ? make("small", "", line, make("br")) : line)));
  return element;
}

function closeReport() {
  if (report.hidden) return;
  report.hidden = true;
  report.replaceChildren();
  stage.hidden = $("controls").hidden = false;
  views.forEach((view) => view.ready && layOut(view));
}

function openReport() {
  if (current) current.element.classList.add("waiting");
  current = null;
  report.hidden = false;
  stage.hidden = $("controls").hidden = true;
  $("waiting").hidden = true;
  setExcluding(false);
  const finished = state.phase === "finished";
  report.replaceChildren(
    make("h1", "", finished ? "Finished" : `Batch ${state.report?.number ?? state.batch} is done`),
    ...(finished ? [make("p", "", "The scores are written and the scorer has stopped. You can close this tab.")] : []),
    ...(state.report ? reportParts(state.report) : []),
    ...(finished ? [] : [actions()]),
  );
  report.scrollTo(0, 0);
  report.querySelector(".main")?.focus({ focusVisible: false });
}

function actions() {
  const button = (act, text, key, kind = "") => {
    const element = make("button", kind, `${text} `, make("kbd", "", key));
    element.dataset.act = act;
    return element;
  };
  const bar = make("div", "actions");
  if (state.can_go_on) bar.append(button("next", "Next batch", "Enter", "main"));
  bar.append(button("undo", "Undo the last choice", "⌫"), button("finish", "Finish", "Q"));
  return bar;
}

function reportParts(r) {
  const cards = make("div", "cards",
    ...(r.standing ? [card("How right the order is", r.expected_spearman?.toFixed(2) ?? "–", r.standing, state.basis)] : []),
    card("Choices", String(r.choices), `${many(r.ties, "tie")}, ${many(r.skips, "skip")}`, r.seconds === null ? "" : `${r.seconds.toFixed(1)} s each (median)`),
    card("The ratings foresaw", percent(r.agreement.share), `${r.matched} matched, ${r.contradicted} contradicted, ${r.not_predicted} not predicted`, range(r.agreement), `by chance: ${percent(r.chance)}`),
    card("You agree with yourself", percent(r.consistency.share), range(r.consistency), r.ceiling ? `a perfect model would foresee ${percent(r.ceiling[0])} to ${percent(r.ceiling[1])}` : ""),
    ...(r.left ? [card("The left image won", percent(r.left.share), range(r.left), "without bias: 50 %")] : []),
    card("Ratings before and after", r.spearman === null ? "–" : r.spearman.toFixed(3), "Spearman; near 1: little changes any more"),
    ...(r.odd ? [oddCard(r.odd)] : []),
    card("Foreseen, batch by batch", null, curve(r)),
    card("Images by comparisons", null, histogram(r)),
  );
  return [make("p", "advice", r.advice), cards, thumbnails("Best", r.best), thumbnails("Worst", r.worst)];
}

function oddCard(odd) {
  const rows = [["all agreed", odd.all_agreed], ["you alone", odd.person_alone], ["the ratings alone", odd.database_alone], ["the model alone", odd.model_alone]];
  if (odd.all_differ) rows.push(["all different", odd.all_differ]);
  const table = make("table", "", ...rows.map(([name, count]) => make("tr", "", make("td", "", name), make("td", "", String(count)))));
  const more = odd.person_alone > odd.model_alone ? "You alone more often than the model: choose more." : odd.model_alone > odd.person_alone ? "The model alone more often than you: train." : "";
  return card("Who stood alone", null, table, more);
}

function curve(r) {
  const x = (place) => 34 + (r.curve.length < 2 ? 135 : (270 * place) / (r.curve.length - 1));
  const y = (share) => 110 - 100 * share;
  const points = r.curve.map((one, place) => [x(place), one.share]).filter(([, share]) => share !== null);
  const line = (share, kind) => makeSvg("line", { x1: 30, x2: 310, y1: y(share), y2: y(share), class: kind });
  const label = (share) => makeSvg("text", { x: 0, y: y(share) + 4 }, percent(share));
  const said = points.map(([, share]) => percent(share)).join(", ") || "nothing yet";
  return makeSvg("svg", { viewBox: "0 0 314 118", role: "img", "aria-label": `Agreement by batch: ${said}` },
    line(0, "axis"), line(r.chance, "axis"), line(1, "axis"), line(r.goal, "goal"), label(0), label(r.chance), label(1),
    makeSvg("polyline", { class: "curve", points: points.map(([px, share]) => `${px},${y(share)}`).join(" ") }),
    ...points.map(([px, share]) => makeSvg("circle", { cx: px, cy: y(share), r: 3.5, class: "dot" })));
}

function histogram(r) {
  const shown = r.images.slice(0, 12);
  if (r.images.length > 12) shown.push(r.images.slice(12).reduce((sum, count) => sum + count, 0));
  const most = Math.max(1, ...shown), step = 310 / Math.max(shown.length, 4);
  const parts = shown.flatMap((count, place) => {
    const height = (80 * count) / most, middle = step * (place + 0.5);
    const text = place === 12 ? "12+" : String(place);
    return [
      makeSvg("rect", { x: step * place + 2, y: 98 - height, width: step - 4, height, rx: 2, class: "column" }),
      makeSvg("text", { x: middle, y: 112, "text-anchor": "middle" }, text),
      makeSvg("text", { x: middle, y: 94 - height, "text-anchor": "middle" }, count ? String(count) : ""),
    ];
  });
  const said = shown.map((count, place) => `${count} with ${place}`).join(", ");
  return makeSvg("svg", { viewBox: "0 0 310 118", role: "img", "aria-label": `Images by number of comparisons: ${said}` }, ...parts);
}

function thumbnails(title, images) {
  const row = make("div", "row", ...images.map(({ id, score }, place) => {
    const picture = make("img");
    picture.src = `/image/${id}?width=192&height=192`;
    picture.alt = `${title}, number ${place + 1}`;
    picture.loading = "lazy";
    return make("figure", "", picture, make("figcaption", "", score.toFixed(2)));
  }));
  const section = make("div", "card wide", make("h2", "", title), images.length ? row : make("small", "", "nothing compared yet"));
  return make("div", "cards", section);
}

// ---- beginning ----

let settled = 0;
window.addEventListener("resize", () => {
  views.forEach((view) => view.ready && layOut(view));
  clearTimeout(settled);
  settled = setTimeout(() => views.forEach((view) => {
    const now = box(view.images.length);
    if (now.width > view.box.width * 1.15 || now.height > view.box.height * 1.15) load(view);
  }), 300);
});
document.addEventListener("visibilitychange", () => (lookedAway ||= document.hidden));

if (location.search) history.replaceState(null, "", "/"); // the token is in a cookie now; out of sight, out of history
await refresh();
pump();
