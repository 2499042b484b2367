// One zoom for all images side by side: the same part of each, whatever their sizes.

// scale: 1 fits. x, y: the part of an image, 0 to 1, that is in the middle of its room.
const zoom = { scale: 1, x: 0.5, y: 0.5 };
const MOST_ZOOM = 40, fingers = new Map();

const rooms = () => [...document.querySelectorAll("#panes .room")];
const between = (low, value, high) => Math.max(low, Math.min(high, value));

// The size at which an image fits into its room, and there and now.
function sizes(room) {
  const picture = room.firstElementChild, [w, h] = [picture.naturalWidth || 1, picture.naturalHeight || 1];
  const fit = Math.min(room.clientWidth / w, room.clientHeight / h);
  return { fit, width: w * fit * zoom.scale, height: h * fit * zoom.scale };
}

function showZoom() {
  for (const room of rooms()) {
    const picture = room.firstElementChild, { width, height } = sizes(room);
    const left = width <= room.clientWidth ? (room.clientWidth - width) / 2 : between(room.clientWidth - width, room.clientWidth / 2 - zoom.x * width, 0);
    const top = height <= room.clientHeight ? (room.clientHeight - height) / 2 : between(room.clientHeight - height, room.clientHeight / 2 - zoom.y * height, 0);
    picture.style.width = `${width}px`;
    picture.style.height = `${height}px`;
    picture.style.transform = `translate(${left}px, ${top}px)`;
    picture.style.imageRendering = sizes(room).fit * zoom.scale * devicePixelRatio > 2.5 ? "pixelated" : "";
  }
}

// point: of the page, which stays where it is; without it the middle does.
function zoomTo(scale, room, point) {
  const box = room.getBoundingClientRect(), before = sizes(room);
  const [dx, dy] = point ? [point.x - box.x - box.width / 2, point.y - box.y - box.height / 2] : [0, 0];
  const at = { x: zoom.x + dx / before.width, y: zoom.y + dy / before.height };
  zoom.scale = between(1, scale, MOST_ZOOM);
  const after = sizes(room);
  moveTo(room, at.x - dx / after.width, at.y - dy / after.height);
}

function moveTo(room, x, y) {
  const { width, height } = sizes(room);
  const edge = (size, all) => Math.min(0.5, size / 2 / all);
  zoom.x = between(edge(room.clientWidth, width), x, 1 - edge(room.clientWidth, width));
  zoom.y = between(edge(room.clientHeight, height), y, 1 - edge(room.clientHeight, height));
  showZoom();
}

const moveBy = (room, dx, dy) => moveTo(room, zoom.x - dx / sizes(room).width, zoom.y - dy / sizes(room).height);
const everyPixel = (room) => 1 / sizes(room).fit / devicePixelRatio;

function togglePixels(room, point) {
  const scale = everyPixel(room);
  zoomTo(Math.abs(zoom.scale - scale) < 0.01 || scale <= 1 ? (zoom.scale > 1 ? 1 : 2) : scale, room, point);
}

function twoFingers() {
  const [one, other] = [...fingers.values()];
  return { apart: Math.hypot(one.x - other.x, one.y - other.y), x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 };
}

function dragged(event, room) {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  const old = fingers.size === 2 ? twoFingers() : null;
  fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  if (!old) return moveBy(room, event.clientX - before.x, event.clientY - before.y);
  const now = twoFingers();
  zoomTo((zoom.scale * now.apart) / Math.max(1, old.apart), room, now);
  moveBy(room, now.x - old.x, now.y - old.y);
}

function makeZoomable(room) {
  room.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomTo(zoom.scale * Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0018)), room, { x: event.clientX, y: event.clientY });
  }, { passive: false });
  room.addEventListener("dblclick", (event) => togglePixels(room, { x: event.clientX, y: event.clientY }));
  room.addEventListener("pointerdown", (event) => {
    room.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  room.addEventListener("pointermove", (event) => dragged(event, room));
  for (const end of ["pointerup", "pointercancel"]) room.addEventListener(end, (event) => fingers.delete(event.pointerId));
}
