// What an image's file says of it: name, prompt, seed, model, or the camera.

import { $, make } from "./dom.js";
import { fetched } from "./server.js";
import { page } from "./shared.js";

// images: ids, left to right.
export async function openAbout(images) {
  if (!images?.length) return;
  page.lookedAway = true;
  const all = await Promise.all(images.map((image) => fetched(`/image/${image}/about`)));
  $("about-images").classList.toggle("several", images.length > 1);
  $("about-images").replaceChildren(...all.map((about, place) => described(images[place], about)));
  if (!$("about").open) $("about").showModal();
  $("about").scrollTo(0, 0); // the button that has the focus is at its end
}

function described(image, about) {
  const picture = make("img");
  picture.src = `/image/${image}?width=256&height=256`;
  picture.alt = about?.name ?? "";
  if (!about) return make("section", "", picture, make("p", "", "Nothing can be read of it now."));
  const facts = Object.entries(about.facts).map(([name, value]) => make("div", "", make("dt", "", name), make("dd", "", value)));
  const none = facts.length ? [] : [make("p", "soft", "The file says nothing of how it was made.")];
  return make("section", "", picture, make("h2", "", about.name), make("dl", "", ...facts), ...none);
}
