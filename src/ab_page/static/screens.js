// The images of the screens, the next ones loaded meanwhile; as large as they can be.

import { pick, show } from "./choosing.js";
import { make, stage } from "./dom.js";
import { RETRY, refresh } from "./server.js";
import { page } from "./shared.js";

const GAP = 8; // px between images, as in the style sheet
const attempts = new Map(); // screen -> how often its images did not come

export function box(count) {
  const share = (count > 3 ? 0.6 : 1) * Math.min(window.devicePixelRatio, 3);
  return { width: Math.ceil(stage.clientWidth * share), height: Math.ceil(stage.clientHeight * share) };
}

function address(image, { width, height }) {
  return `/image/${image}?width=${Math.ceil(width / 64) * 64}&height=${Math.ceil(height / 64) * 64}`;
}

// The images of a screen, in the page but not visible, so that showing them is only a change of style.
export function makeView(screen) {
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
    button.append(frame, hint(place));
    button.addEventListener("click", () => pick(view, place));
    view.element.append(button);
    return { button, frame, picture };
  });
  load(view);
  stage.append(view.element);
  return view;
}

export async function load(view) {
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
  if (view === page.views[0]) show();
}

// An image didn't come: either it can't be shown, then the server has replaced the screen, or the server is gone.
async function lost(view) {
  if (!page.views.includes(view)) return;
  view.failed = true;
  const attempt = attempts.get(view.id) ?? 0;
  attempts.set(view.id, attempt + 1);
  await new Promise((resolve) => setTimeout(resolve, Math.min(5 * RETRY, 50 * 4 ** attempt)));
  if (page.views.includes(view)) await refresh();
}

// The keys, until they are known.
function hint(place) {
  const keys = make("span", "hint", make("kbd", "", String(place + 1)), " or ", make("kbd", "", place ? "→" : "←"));
  keys.setAttribute("aria-hidden", "true");
  return keys;
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

export function layOutAll() {
  page.views.forEach((view) => view.ready && layOut(view));
}
