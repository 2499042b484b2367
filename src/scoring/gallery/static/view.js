// Images enlarged: one, or up to four side by side.

// rows: the images that can be walked through. at: the place of the first one seen. number: side by side.
const view = { rows: [], at: 0, number: 1, active: 0 };

function openView(rows, at, number) {
  if (!rows.length) return;
  Object.assign(view, { rows: [...rows], at, number: Math.min(number, rows.length), active: 0 });
  Object.assign(zoom, { scale: 1, x: 0.5, y: 0.5 });
  if (!$("view").open) $("view").showModal();
  showView();
}

function openMarked() {
  if (page.marked.size > 1) openView([...page.marked].sort((one, other) => one - other), 0, page.marked.size);
}

const seen = () => view.rows.slice(view.at, view.at + view.number);
const activeRow = () => seen()[view.active];
const activeRoom = () => rooms()[view.active];

function turn(step) {
  const last = view.rows.length - view.number;
  const at = between(0, view.at + step * (view.number > 1 ? view.number : 1), last);
  if (at === view.at) return;
  view.at = at;
  view.active = Math.min(view.active, view.number - 1);
  showView();
}

function setBeside(number) {
  view.number = Math.min(number, view.rows.length);
  view.at = between(0, view.at, view.rows.length - view.number);
  view.active = 0;
  showView();
}

function showView() {
  const rows = seen();
  const upright = window.innerHeight > window.innerWidth;
  const columnsOf = { 1: 1, 2: upright ? 1 : 2, 3: upright ? 1 : 3, 4: 2 };
  $("panes").style.setProperty("--columns", columnsOf[rows.length]);
  $("panes").classList.toggle("several", rows.length > 1);
  $("panes").replaceChildren(...rows.map(makePane));
  const places = rows.length > 1 ? `${view.at + 1}–${view.at + rows.length}` : view.at + 1;
  $("place").textContent = `${places} of ${view.rows.length}`;
  const button = (name) => document.querySelector(`#view-bar [data-act="${name}"]`);
  button("back").disabled = view.at === 0;
  button("on").disabled = view.at + view.number >= view.rows.length;
  for (const one of document.querySelectorAll('[data-act="beside"]')) {
    one.setAttribute("aria-pressed", Number(one.dataset.number) === view.number);
    one.disabled = Number(one.dataset.number) > view.rows.length;
  }
  setActive(view.active);
  activeRoom().focus();
  showZoom();
  for (const place of [view.at + view.number, view.at - 1]) if (place in view.rows) new Image().src = addressOf(view.rows[place]);
}

function makePane(row, place) {
  const picture = make("img"), room = make("div", "room", picture), caption = make("figcaption");
  const pane = make("figure", "pane", room, caption);
  room.tabIndex = 0;
  room.setAttribute("role", "group");
  room.setAttribute("aria-label", `Image ${place + 1} of ${view.number} side by side`);
  picture.alt = inWords(row);
  picture.addEventListener("load", showZoom);
  picture.src = thumbnailOf(row) || "data:,";
  const whole = new Image();
  whole.addEventListener("load", () => (picture.src = whole.src));
  whole.addEventListener("error", () => caption.append(make("span", "soft", "(the small picture: the file itself can’t be shown)")));
  whole.src = addressOf(row);
  room.addEventListener("focus", () => setActive(place));
  makeZoomable(room);
  caption.append(make("b", "", `${row + 1}.`), ...figures(row), make("span", "soft", nameOf(row)));
  return pane;
}

function setActive(place) {
  view.active = place;
  [...$("panes").children].forEach((pane, i) => pane.classList.toggle("active", i === place));
  showPicked();
}

function showPicked() {
  seen().forEach((row, i) => {
    const caption = $("panes").children[i].querySelector("figcaption");
    caption.querySelector(".is-picked")?.remove();
    if (page.picked.has(row)) caption.prepend(make("span", "is-picked", "✓ picked"));
  });
  document.querySelector('#view-bar [data-act="pick"]').setAttribute("aria-pressed", page.picked.has(activeRow()));
}

// Back in the grid the keyboard is at the image that was looked at last.
$("view").addEventListener("close", () => {
  if ($("view").open) return; // the event comes later than the end, and a key may have opened it again by then
  const place = page.shown.indexOf(activeRow());
  $("panes").replaceChildren();
  fingers.clear();
  if (place >= 0) goTo(place);
});
window.addEventListener("resize", () => $("view").open && showView());
