// What the page of a report does: its pictures enlarge, and the map shows the picture that is pointed at.
"use strict";
(() => {
  const view = document.getElementById("view");
  const picture = view.querySelector("img");
  let buttons = [], place = 0;

  // The image itself, where it lies; where that is gone, or no browser shows it, the small picture.
  function show(step) {
    place = (place + step + buttons.length) % buttons.length;
    const button = buttons[place], small = button.querySelector("img");
    picture.onerror = () => ((picture.onerror = null), (picture.src = small.src));
    picture.src = button.dataset.address;
    picture.alt = small.alt;
    view.querySelector("p").textContent = button.closest("figure").title + ": " + button.closest("figure").querySelector(".scores").textContent;
    if (!view.open) view.showModal();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest(".frame[data-address]");
    if (!button) return event.target.closest("#view") && !event.target.closest("button") && view.close();
    buttons = [...button.closest(".gallery").querySelectorAll(".frame[data-address]")];
    place = buttons.indexOf(button);
    show(0);
  });
  view.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) (event.preventDefault(), show(step));
  });
  view.addEventListener("close", () => buttons[place]?.focus());
  for (const button of view.querySelectorAll("button")) button.addEventListener("click", () => (button.dataset.step ? show(Number(button.dataset.step)) : view.close()));

  // ---- the map ----

  const data = document.getElementById("map-points");
  if (!data) return;
  const { points, addresses, names, scores } = JSON.parse(data.textContent);
  const svg = data.parentElement.querySelector("svg"), card = document.getElementById("pointed"), REACH = 14;
  const byScore = [...points.keys()].sort((one, other) => scores[other] - scores[one]);
  let at = -1;

  function point(row) {
    const box = svg.getBoundingClientRect(), [x, y] = [box.left + points[row][0] * box.width, box.top + points[row][1] * box.height];
    card.querySelector("img").src = addresses[row];
    card.querySelector("img").alt = names[row];
    card.querySelector("p").textContent = `${names[row]}: ${scores[row].toFixed(2)}`;
    card.hidden = false;
    card.style.left = `${Math.max(8, Math.min(window.innerWidth - card.offsetWidth - 8, x + 14))}px`;
    card.style.top = `${Math.max(8, y + 14 + card.offsetHeight > window.innerHeight ? y - 14 - card.offsetHeight : y + 14)}px`;
  }

  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    let best = -1, nearest = REACH ** 2;
    points.forEach(([x, y], row) => {
      const apart = (box.left + x * box.width - event.clientX) ** 2 + (box.top + y * box.height - event.clientY) ** 2;
      if (apart < nearest) [best, nearest] = [row, apart];
    });
    if (best >= 0) point(best);
    else card.hidden = true;
  });
  svg.addEventListener("pointerleave", () => (card.hidden = true));
  svg.addEventListener("blur", () => (card.hidden = true));
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") card.hidden = true;
    if (!step) return;
    event.preventDefault();
    at = (at + step + points.length) % points.length;
    point(byScore[at]);
  });
})();
