// The zoom: the images of the screen in full size.

import { $, report } from "./dom.js";
import { page } from "./shared.js";

let zoomPlace = 0;

export function openZoom(place) {
  if (!page.current || !report.hidden) return;
  zoomPlace = place;
  const picture = $("zoomed").querySelector("img");
  const { frame, picture: shown } = page.current.choices[place];
  picture.src = `/image/${page.current.images[place]}/full`;
  picture.alt = shown.alt;
  picture.style.minWidth = `${frame.clientWidth}px`; // a small image was enlarged already: never smaller than that
  $("zoom-place").textContent = `${place + 1} of ${page.current.images.length}`;
  if ($("zoom").open) return;
  page.lookedAway = true;
  $("zoom").showModal();
  $("zoomed").focus();
  picture.addEventListener("load", () => {
    const room = $("zoomed");
    room.scrollTo((room.scrollWidth - room.clientWidth) / 2, (room.scrollHeight - room.clientHeight) / 2);
  }, { once: true });
}

export const turnZoom = (step) => openZoom((zoomPlace + step + page.current.images.length) % page.current.images.length);

export function zoomKey(event, key) {
  const place = /^[1-9]$/.test(key) ? Number(key) - 1 : -1;
  if (key === "ArrowLeft" || key === "ArrowRight") turnZoom(key === "ArrowLeft" ? -1 : 1);
  else if (place >= 0 && place < page.current.images.length) openZoom(place);
  else if (key === "z") $("zoom").close();
  else return;
  event.preventDefault();
}

$("zoomed").addEventListener("pointermove", (event) => {
  if (event.pointerType === "mouse" && event.buttons === 1) $("zoomed").scrollBy(-event.movementX, -event.movementY);
});
