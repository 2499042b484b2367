// The zoom: images in full size, those of the screen, of the report, or of the gallery.

import { $, report } from "./dom.js";
import { page } from "./shared.js";

// images: by id. names: their texts. least: the width that the one at `place` has already; it is never shown smaller.
const zoomed = { images: [], names: [], place: 0 };

export function openZoom(place) {
  if (!page.current || !report.hidden) return;
  page.lookedAway = true;
  const { images, choices } = page.current;
  zoomInto(images, choices.map(({ picture }) => picture.alt), place, choices[place].frame.clientWidth);
}

export function zoomInto(images, names, place, least = 0) {
  Object.assign(zoomed, { images, names, place });
  const picture = $("zoomed").querySelector("img");
  picture.src = `/image/${images[place]}/full`;
  picture.alt = names[place];
  picture.style.minWidth = least ? `${least}px` : ""; // a small image was enlarged already
  $("zoom-place").textContent = `${place + 1} of ${images.length}`;
  if ($("zoom").open) return;
  $("zoom").showModal();
  $("zoomed").focus();
  picture.addEventListener("load", () => {
    const room = $("zoomed");
    room.scrollTo((room.scrollWidth - room.clientWidth) / 2, (room.scrollHeight - room.clientHeight) / 2);
  }, { once: true });
}

export const zoomedImage = () => zoomed.images[zoomed.place];

export function turnZoom(step) {
  const { images, names, place } = zoomed;
  const next = (place + step + images.length) % images.length;
  const onScreen = page.current && images === page.current.images;
  zoomInto(images, names, next, onScreen ? page.current.choices[next].frame.clientWidth : 0);
}

export function zoomKey(event, key) {
  const place = /^[1-9]$/.test(key) ? Number(key) - 1 : -1;
  if (key === "ArrowLeft" || key === "ArrowRight") turnZoom(key === "ArrowLeft" ? -1 : 1);
  else if (place >= 0 && place < zoomed.images.length) turnZoom(place - zoomed.place);
  else if (key === "z") $("zoom").close();
  else return;
  event.preventDefault();
}

$("zoomed").addEventListener("pointermove", (event) => {
  if (event.pointerType === "mouse" && event.buttons === 1) $("zoomed").scrollBy(-event.movementX, -event.movementY);
});
