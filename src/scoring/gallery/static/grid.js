// The grid: of any number of images only those near the window are elements.

const GAP = 14, CAPTION = 58, TOUCHING = 12; // px
const tiles = new Map(); // row -> its element
let columns = 1, rowHeight = 1, width = 1, drawing = 0;

function layOut() {
  const room = $("grid").clientWidth;
  columns = Math.max(1, Math.floor((room + GAP) / (Number($("size").value) + GAP)));
  width = Math.floor((room + GAP) / columns) - GAP;
  rowHeight = width + CAPTION + GAP;
  $("grid").style.setProperty("--width", `${width}px`);
  $("grid").style.height = `${Math.ceil(page.shown.length / columns) * rowHeight}px`;
  draw();
}

function drop(row) {
  tiles.get(row).remove();
  tiles.delete(row);
}

// Places of the images to have: a window's height above and below, and that of the keyboard, lest its focus be lost.
function near() {
  const above = window.scrollY - $("grid").offsetTop, height = window.innerHeight;
  const first = Math.max(0, Math.floor((above - height) / rowHeight)) * columns;
  const last = Math.min(page.shown.length, (Math.floor((above + 2 * height) / rowHeight) + 1) * columns);
  const places = new Set();
  for (let place = first; place < last; place++) places.add(place);
  if (page.at < page.shown.length) places.add(page.at);
  return places;
}

function draw() {
  drawing = 0;
  const places = near(), rows = new Map([...places].map((place) => [page.shown[place], place]));
  for (const row of [...tiles.keys()]) if (!rows.has(row)) drop(row);
  for (const [row, place] of rows) {
    if (!tiles.has(row)) $("grid").append(tiles.set(row, makeTile(row)).get(row));
    putTile(tiles.get(row), row, place);
  }
}

const drawSoon = () => (drawing ||= requestAnimationFrame(draw));

function putTile(tile, row, place) {
  const [line, column] = [Math.floor(place / columns), place % columns];
  tile.style.transform = `translate(${column * (width + GAP)}px, ${line * rowHeight}px)`;
  tile.setAttribute("aria-posinset", place + 1);
  tile.setAttribute("aria-setsize", page.shown.length);
  for (const button of tile.querySelectorAll("button")) button.tabIndex = place === page.at ? 0 : -1;
  showState(tile, row);
  const picture = tile.querySelector("img");
  if (picture && !picture.hasAttribute("src")) showPicture(picture, row);
}

function makeTile(row) {
  const tile = make("li", "tile"), open = make("button", "open"), pick = make("button", "pick"), mark = make("button", "mark", "⇆");
  const picture = make("img");
  picture.alt = nameOf(row);
  picture.decoding = "async";
  open.append(picture);
  const name = make("div", "file", nameOf(row).split("/").pop());
  name.title = nameOf(row);
  [pick.title, mark.title] = ["Pick (P)", "Compare (C)"];
  open.setAttribute("aria-label", `Enlarge ${inWords(row)}`);
  pick.setAttribute("aria-label", `Pick ${nameOf(row)}`);
  mark.setAttribute("aria-label", `Compare ${nameOf(row)}`);
  open.addEventListener("click", () => (setAt(page.shown.indexOf(row)), openView(page.shown, page.at, 1)));
  pick.addEventListener("click", () => (setAt(page.shown.indexOf(row)), togglePick(row)));
  mark.addEventListener("click", () => (setAt(page.shown.indexOf(row)), toggleMark(row)));
  tile.append(open, make("div", "caption", make("div", "figures", ...figures(row)), name, mark, pick));
  return tile;
}

function showPicture(picture, row) {
  const address = thumbnailOf(row);
  if (address) picture.src = address;
  else if (address === "") picture.replaceWith(make("span", "missing", "can’t be read"));
}

function showState(tile, row) {
  const [isPicked, isMarked] = [page.picked.has(row), page.marked.has(row)];
  tile.classList.toggle("picked", isPicked);
  tile.classList.toggle("marked", isMarked);
  const pick = tile.querySelector(".pick");
  pick.textContent = isPicked ? "✓" : "+";
  pick.setAttribute("aria-pressed", isPicked);
  tile.querySelector(".mark").setAttribute("aria-pressed", isMarked);
}

function setAt(place) {
  const before = tiles.get(page.shown[page.at]);
  for (const button of before?.querySelectorAll("button") ?? []) button.tabIndex = -1;
  page.at = Math.max(0, Math.min(page.shown.length - 1, place));
  rememberPlace();
}

// The keyboard's place: in sight, drawn, and with the focus.
function goTo(place) {
  if (!page.shown.length) return;
  setAt(place);
  const top = $("grid").offsetTop + Math.floor(page.at / columns) * rowHeight;
  const bar = getComputedStyle($("bar")).position === "sticky" ? $("bar").offsetHeight : 0;
  if (top - TOUCHING < window.scrollY + bar) window.scrollTo(0, top - bar - TOUCHING);
  else if (top + rowHeight > window.scrollY + window.innerHeight) window.scrollTo(0, top + rowHeight - window.innerHeight);
  draw();
  tiles.get(page.shown[page.at]).querySelector(".open").focus({ preventScroll: true });
}

window.addEventListener("scroll", drawSoon, { passive: true });
new ResizeObserver(() => layOut()).observe($("grid").parentElement);
document.addEventListener("DOMContentLoaded", drawSoon); // all small pictures are there now
$("size").value = remembered("localStorage", "size") ?? (window.innerWidth < 700 ? 128 : 192);
$("size").addEventListener("input", () => (remember("localStorage", "size", Number($("size").value)), layOut()));
