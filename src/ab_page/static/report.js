// The report after a batch.

import { setExcluding } from "./choosing.js";
import { $, make, makeSvg, report, stage, stopLoading, thatCame } from "./dom.js";
import { askAfterModel, modelCard, modelHeadline } from "./model.js";
import { letPass } from "./notes.js";
import { layOutAll } from "./screens.js";
import { page } from "./shared.js";
import { zoomInto } from "./zoom.js";

export function closeReport() {
  if (report.hidden) return;
  report.hidden = true;
  report.replaceChildren();
  stage.hidden = $("controls").hidden = false;
  layOutAll();
}

export function openReport() {
  const { state } = page;
  const finished = state.phase === "finished";
  if (finished) stopLoading();
  if (finished || report.hidden) letPass();
  if (page.current) page.current.element.classList.add("waiting");
  page.current = null;
  report.hidden = false;
  stage.hidden = $("controls").hidden = true;
  $("waiting").hidden = true;
  setExcluding(false);
  report.replaceChildren(
    make("h1", "", finished ? "Finished" : `Batch ${state.report?.number ?? state.batch} is done`),
    ...(finished ? ending(state.ending) : []),
    modelHeadline(),
    ...(state.report ? reportParts(state.report) : []),
    modelCard(),
    ...(finished ? [] : [actions()]),
  );
  report.scrollTo(0, 0);
  if (finished) report.querySelectorAll(".look").forEach((button) => (button.disabled = true)); // nobody sends larger ones
  else askAfterModel();
  report.querySelector(".main")?.focus({ focusVisible: false });
}

// What is where, and what comes next.
function ending({ scores, choices, command }) {
  const rows = [["Your scores", scores], ["Your choices", choices]].map(([name, path]) => make("div", "", make("dt", "", name), make("dd", "", path)));
  const copy = make("button", "plain", "Copy");
  copy.dataset.act = "copy";
  const next = make("div", "card", make("h2", "", "Next: train a model on them"), make("code", "", ...words(command)), copy);
  return [make("p", "", "The scorer has stopped; you can close this tab."), make("dl", "ending", ...rows), next];
}

// With the spaces between them as they are.
const words = (command) => command.split(/( +)/).map((part, i) => (i % 2 ? part : make("span", "", part)));

function actions() {
  const button = (act, text, key, kind = "") => {
    const element = make("button", kind, `${text} `, make("kbd", "", key));
    element.dataset.act = act;
    return element;
  };
  const bar = make("div", "actions");
  if (page.state.can_go_on) bar.append(button("next", "Next batch", "Enter", "main"));
  bar.append(button("all", "All images", "G"), button("undo", "Undo the last choice", "⌫"), button("finish", "Finish", "Q"));
  return bar;
}

const percent = (share) => (share === null ? "–" : `${Math.round(100 * share)} %`);
const many = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;
const range = (share) => (share.total ? `95 % interval ${percent(share.low)} to ${percent(share.high)}, of ${share.total}` : "nothing to count yet");

function card(title, big, ...lines) {
  const element = make("div", "card", make("h2", "", title));
  if (big !== null) element.append(make("div", "big", big));
  element.append(...lines.map((line) => (typeof line === "string" ? make("small", "", line, make("br")) : line)));
  return element;
}

function reportParts(r) {
  const cards = make("div", "cards",
    ...(r.standing ? [card("How right the order is", r.expected_spearman?.toFixed(2) ?? "–", r.standing, page.state.basis)] : []),
    card("Choices", String(r.choices), `${many(r.ties, "tie")}, ${many(r.skips, "skip")}`, r.seconds === null ? "" : `${r.seconds.toFixed(1)} s each (median)`),
    card("The ratings foresaw", percent(r.agreement.share), `${r.matched} matched, ${r.contradicted} contradicted, ${r.not_predicted} not predicted`, range(r.agreement), `by chance: ${percent(r.chance)}`),
    card("You agree with yourself", percent(r.consistency.share), range(r.consistency), r.ceiling ? `a perfect model would foresee ${percent(r.ceiling[0])} to ${percent(r.ceiling[1])}` : ""),
    ...(r.left ? [card("The left image won", percent(r.left.share), range(r.left), "without bias: 50 %")] : []),
    card("Ratings before and after", r.spearman === null ? "–" : r.spearman.toFixed(3), "Spearman; near 1: little changes any more"),
    ...(r.odd ? [oddCard(r.odd)] : []),
    r.orders.some((order) => order !== null)
      ? card("How right the order is, batch by batch", null, curve("Spearman", r.orders, r.good_order, 0, (order) => order.toFixed(2)), "dashed: enough to train a good model")
      : card("Foreseen, batch by batch", null, curve("Agreement", r.curve.map((one) => one.share), r.goal, r.chance, percent), "the batches of this session; dashed: as good as people get"),
    card("Images by comparisons", null, histogram(r)),
  );
  return [make("p", "advice", r.advice), cards, thumbnails("Best", r.best), thumbnails("Worst", r.worst)];
}

function oddCard(odd) {
  const rows = [["all agreed", odd.all_agreed], ["you alone", odd.person_alone], ["the ratings alone", odd.database_alone], ["the model alone", odd.model_alone]];
  if (odd.all_differ) rows.push(["all different", odd.all_differ]);
  const table = make("table", "", ...rows.map(([name, count]) => make("tr", "", make("td", "", name), make("td", "", String(count)))));
  const more = odd.person_alone > odd.model_alone ? "You alone more often than the model: choose more." : odd.model_alone > odd.person_alone ? "The model alone more often than you: train." : "";
  return card("Who stood alone", null, table, more);
}

// values: from 0 to 1, null where there is none. goal, chance: lines across. text: of a value.
function curve(what, values, goal, chance, text) {
  const x = (place) => 34 + (values.length < 2 ? 135 : (270 * place) / (values.length - 1));
  const y = (share) => 110 - 100 * share;
  const points = values.map((value, place) => [x(place), value]).filter(([, share]) => share !== null);
  const line = (share, kind) => makeSvg("line", { x1: 30, x2: 310, y1: y(share), y2: y(share), class: kind });
  const label = (share) => makeSvg("text", { x: 0, y: y(share) + 4 }, text(share));
  const said = points.map(([, share]) => text(share)).join(", ") || "nothing yet";
  return makeSvg("svg", { viewBox: "0 0 314 118", role: "img", "aria-label": `${what} by batch: ${said}` },
    line(0, "axis"), line(1, "axis"), line(goal, "goal"), label(0), label(1), ...(chance ? [line(chance, "axis"), label(chance)] : [label(goal)]),
    makeSvg("polyline", { class: "curve", points: points.map(([px, share]) => `${px},${y(share)}`).join(" ") }),
    ...points.map(([px, share]) => makeSvg("circle", { cx: px, cy: y(share), r: 3.5, class: "dot" })));
}

function histogram(r) {
  const shown = r.images.slice(0, 12);
  if (r.images.length > 12) shown.push(r.images.slice(12).reduce((sum, count) => sum + count, 0));
  const most = Math.max(1, ...shown), step = 310 / Math.max(shown.length, 4);
  const parts = shown.flatMap((count, place) => {
    const height = (80 * count) / most, middle = step * (place + 0.5);
    const text = place === 12 ? "12+" : String(place);
    return [
      makeSvg("rect", { x: step * place + 2, y: 98 - height, width: step - 4, height, rx: 2, class: "column" }),
      makeSvg("text", { x: middle, y: 112, "text-anchor": "middle" }, text),
      makeSvg("text", { x: middle, y: 94 - height, "text-anchor": "middle" }, count ? String(count) : ""),
    ];
  });
  const said = shown.map((count, place) => `${count} with ${place}`).join(", ");
  return makeSvg("svg", { viewBox: "0 0 310 118", role: "img", "aria-label": `Images by number of comparisons: ${said}` }, ...parts);
}

function thumbnails(title, images) {
  const known = images.map(({ id, score }, place) => ({ src: `/image/${id}?width=192&height=192`, score, place }));
  const shown = page.state.phase === "finished" ? thatCame(known) : known;
  if (images.length && !shown.length) return "";
  const row = make("div", "row", ...shown.map(({ src, score, place }) => {
    const picture = make("img");
    picture.src = src;
    picture.alt = `${title}, number ${place + 1}`;
    const button = make("button", "look", picture);
    button.addEventListener("click", () => zoomInto(images.map((one) => one.id), images.map((_, i) => `${title}, number ${i + 1}`), place));
    return make("figure", "", button, make("figcaption", "", score.toFixed(2)));
  }));
  const section = make("div", "card wide", make("h2", "", title), images.length ? row : make("small", "", "nothing compared yet"));
  return make("div", "cards", section);
}
