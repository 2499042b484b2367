// The model that is made of the choices: asked after while it is being made, shown on the report, told while choosing.

import { make, note, report } from "./dom.js";
import { outbox } from "./server.js";
import { page } from "./shared.js";

const AGAIN = 700; // ms
const AT_THE_END = "The model of your choices is made before the scorer ends; the terminal says where it is.";
let known = null; // what the server said last
let asking = false;

// From now until it is made; tell: say on the page what became of it.
export async function askAfterModel(tell = false) {
  if (asking) return;
  asking = true;
  const isAsked = () => outbox.some((entry) => entry.name === "model"); // and the server hasn't heard of it
  do {
    if (known?.busy || isAsked()) await new Promise((resolve) => setTimeout(resolve, AGAIN));
    try {
      const answer = await fetch("/api/model", { cache: "no-store" });
      if (answer.ok) known = await answer.json();
    } catch {
      if (known?.busy && page.state.phase === "finished") known = { ...known, busy: false, text: AT_THE_END };
      fill();
      break; // the scorer has stopped: what is known stays
    }
    fill();
  } while (known?.busy || isAsked());
  asking = false;
  if (tell && known?.text) note([known.text, known.headline].filter(Boolean).join(" "));
}

// What the model is worth, above all else on the report.
export function modelHeadline() {
  const line = make("p", "headline");
  line.id = "headline";
  line.hidden = true;
  return line;
}

export function modelCard() {
  const card = make("div", "card wide");
  card.id = "model";
  setTimeout(fill);
  return make("div", "cards", card);
}

function fill() {
  const card = report.querySelector("#model");
  if (!card || !known?.text) return card?.parentElement.toggleAttribute("hidden", true);
  card.parentElement.hidden = false;
  report.querySelector("#headline").textContent = known.headline;
  report.querySelector("#headline").hidden = !known.headline;
  const said = known.busy ? "The model of your choices is being made …" : known.text;
  card.replaceChildren(
    make("h2", "", "A model of your choices"),
    make("small", "", said),
    ...(known.best.length ? [row(`It finds best, of ${known.of}`, known.best), row("and worst", known.worst)] : []),
  );
}

function row(title, images) {
  const figures = images.map(({ src, score }, place) => {
    const picture = make("img");
    picture.src = `${src}?width=192&height=192`;
    picture.alt = `${title}, number ${place + 1}`;
    picture.loading = "lazy";
    return make("figure", "", picture, make("figcaption", "", score.toFixed(2)));
  });
  return make("div", "", make("h2", "", title), make("div", "row", ...figures));
}
