// The model that is made of the choices: asked after while it is being made, shown on the report, told while choosing.

import { make, report, thatCame } from "./dom.js";
import { answerKey } from "./notes.js";
import { fetched, isOnItsWay } from "./server.js";
import { page } from "./shared.js";

const AGAIN = 700; // ms
const AT_THE_END = "The model of your choices is made before the scorer ends; the terminal says where it is.";
let known = null; // what the server said last
let of = null; // the step of the person after which it was asked last
let asking = false, again = false, telling = false;

// From now until it is made; tell: say on the page what became of it, where it still shows images then.
export async function askAfterModel(tell = false) {
  of = page.state.last;
  again = true;
  telling ||= tell;
  if (asking) return;
  asking = true;
  const wasMade = await untilMade();
  asking = false;
  if (telling && known?.text && report.hidden) answerKey([known.text, known.headline].filter(Boolean).join(" "), !wasMade);
  telling = false;
}

// Whether it had to be waited for.
async function untilMade() {
  let waited = false;
  do {
    if (known?.busy || isOnItsWay("model")) await pause();
    while (isOnItsWay("finish")) await pause(); // the scorer may go away on it
    if (page.state.phase === "finished") break;
    again = false;
    const answer = await fetched("/api/model");
    if (!answer) break; // the scorer has stopped: what is known stays
    known = answer;
    waited ||= known.busy;
    fill();
  } while (again || known.busy || isOnItsWay("model"));
  return waited;
}

const pause = () => new Promise((resolve) => setTimeout(resolve, AGAIN));

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

// Figures are shown of the model of all choices alone: never those of the one before.
function fill() {
  const card = report.querySelector("#model");
  if (!card) return;
  const finished = page.state.phase === "finished";
  const isFresh = known && !known.busy && !again && of === page.state.last;
  const making = finished ? AT_THE_END : "The model of your choices is being made …";
  const said = !known?.text ? "" : known.busy ? making : isFresh ? known.text : "";
  card.parentElement.hidden = !said;
  report.querySelector("#headline").textContent = isFresh ? known.headline : "";
  report.querySelector("#headline").hidden = !isFresh || !known.headline;
  const sized = (images) => images.map(({ src, score }) => ({ src: `${src}?width=192&height=192`, score }));
  const shown = (images) => (finished ? thatCame(sized(images)) : sized(images));
  card.replaceChildren(
    make("h2", "", "A model of your choices"),
    make("small", "", said),
    ...(isFresh && known.best.length ? [row(`It finds best, of ${known.of}`, shown(known.best)), row("and worst", shown(known.worst))] : []),
  );
}

function row(title, images) {
  const figures = images.map(({ src, score }, place) => {
    const picture = make("img");
    picture.src = src;
    picture.alt = `${title}, number ${place + 1}`;
    return make("figure", "", picture, make("figcaption", "", score.toFixed(2)));
  });
  return make("div", "", make("h2", "", title), make("div", "row", ...figures));
}
