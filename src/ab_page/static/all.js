// The gallery: all images in their order, and those excluded.

import { openAbout } from "./about.js";
import { $, make } from "./dom.js";
import { fetched, send } from "./server.js";
import { page } from "./shared.js";
import { zoomInto } from "./zoom.js";

const AT_ONCE = 120; // images; more come when one scrolls there
let images = [], shown = 0;

export async function openAll() {
  const answer = await fetched("/api/gallery");
  if (!answer) return;
  page.lookedAway = true;
  images = answer.images;
  shown = 0;
  $("all-images").replaceChildren();
  $("all-count").textContent = summary();
  if (!$("all").open) $("all").showModal();
  more();
  $("all-images").querySelector("button")?.focus();
}

function summary() {
  const rated = images.filter((one) => one.score !== null && !one.excluded).length;
  const excluded = images.filter((one) => one.excluded).length;
  const heldOut = images.filter((one) => one.held_out && !one.excluded).length;
  const rest = images.length - rated - heldOut - excluded;
  const others = [[rest, "not compared yet"], [heldOut, "held out"], [excluded, "excluded"]].filter(([count]) => count);
  return [`${rated} by their scores, best first`, ...others.map(([count, what]) => `${count} ${what}`)].join(" · ");
}

function more() {
  const next = images.slice(shown, shown + AT_ONCE);
  $("all-images").append(...next.map((image, place) => entry(image, shown + place)));
  shown += next.length;
}

function entry(image, place) {
  const picture = make("img");
  picture.src = `/image/${image.id}?width=256&height=256`;
  picture.alt = image.name;
  picture.loading = "lazy";
  const button = make("button", "look", picture);
  button.setAttribute("aria-label", `Enlarge ${image.name}`);
  button.dataset.place = place;
  button.addEventListener("click", () => zoomInto(images.map((one) => one.id), images.map((one) => one.name), place));
  const name = make("div", "name", image.name.split("/").pop());
  name.title = image.name;
  const item = make("li", image.excluded ? "excluded" : "", button, make("div", "figures", ...figures(image, place)), name);
  if (image.can_return) item.append(bringBack(image, item));
  return item;
}

function figures(image, place) {
  if (image.excluded) return [image.excluded];
  const times = `${image.comparisons} comparison${image.comparisons === 1 ? "" : "s"}`;
  if (image.held_out) return ["held out", make("span", "soft", make("br"), times)];
  if (image.score === null) return ["not compared yet"];
  const error = image.error === null ? "" : ` ± ${image.error.toFixed(2)}`;
  return [make("b", "", `${place + 1}. ${image.score.toFixed(2)}`), make("span", "soft", error, make("br"), times)];
}

function bringBack(image, item) {
  const button = make("button", "plain", "Bring back");
  button.setAttribute("aria-label", `Bring back ${image.name}`);
  button.addEventListener("click", async () => {
    await send("include", { image: image.id });
    image.excluded = "";
    $("all-count").textContent = summary();
    item.classList.remove("excluded");
    button.replaceWith(make("small", "", "is back"));
  });
  return button;
}

const STEPS = { ArrowLeft: -1, ArrowRight: 1 };

export function allKey(event, key) {
  const buttons = [...$("all-images").querySelectorAll(".look")];
  const at = buttons.indexOf(document.activeElement);
  const columns = getComputedStyle($("all-images")).gridTemplateColumns.split(" ").length;
  const step = STEPS[key] ?? { ArrowUp: -columns, ArrowDown: columns, Home: -buttons.length, End: buttons.length }[key];
  if (key === "g") $("all").close();
  else if (key === "i" && at >= 0) openAbout([images[buttons[at].dataset.place].id]);
  else if (step && buttons.length) buttons[Math.max(0, Math.min(buttons.length - 1, at + step))].focus();
  else return;
  event.preventDefault();
}

$("all").addEventListener("scroll", () => {
  const box = $("all");
  if (shown < images.length && box.scrollTop + 2 * box.clientHeight > box.scrollHeight) more();
}, { passive: true });
