// What the other files share: the images, what is chosen of them, how elements are made. All files are one script.

const $ = (id) => document.getElementById(id);
const about = JSON.parse($("about").textContent);
const total = about.paths.length;

// shown: rows of the images that the filter leaves, best first. at: the place in it where the keyboard is.
// picked, marked: rows; marked ones are to be compared.
const page = { shown: [...about.paths.keys()], at: 0, picked: new Set(), marked: new Set() };

function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

// A lone surrogate stands for a byte that is no text.
const nameOf = (row) => about.paths[row].replace(/[\ud800-\udfff]/gu, "\ufffd");
const scoreOf = (row) => about.scores[row].toFixed(3);

function figures(row) {
  const parts = [make("b", "", scoreOf(row))];
  if (about.stars) {
    const stars = make("span", "stars", "★".repeat(about.stars[row]));
    stars.setAttribute("aria-hidden", "true");
    stars.dataset.count = about.stars[row];
    const percentile = make("span", "soft", `${about.percentiles[row].toFixed(0)} %`);
    percentile.title = "of the training images are below this score";
    parts.push(stars, percentile);
  }
  return parts;
}

function inWords(row) {
  const known = about.stars ? `, ${about.stars[row]} of 5 stars, percentile ${about.percentiles[row].toFixed(0)}` : "";
  return `${nameOf(row)}: place ${row + 1}, score ${scoreOf(row)}${known}`;
}

// The image itself, where it lies.
function addressOf(row) {
  const coded = about.addresses[row] ?? about.paths[row].split("/").map(encodeURIComponent).join("/");
  return about.images + coded;
}

const blocks = new Map(); // the last few that were looked at: as text in the page they are smaller

function block(number) {
  const element = $(`block${number}`);
  if (!element || (document.readyState === "loading" && !element.nextElementSibling)) return null; // not read yet
  const found = blocks.get(number) ?? JSON.parse(element.textContent);
  blocks.delete(number);
  blocks.set(number, found);
  if (blocks.size > 8) blocks.delete(blocks.keys().next().value);
  return found;
}

// The small picture; "" where the image can't be read, null where it is not there yet.
function thumbnailOf(row) {
  if (!about.inside) return about.names[row] ? about.thumbnails + about.names[row] : "";
  const jpeg = block(Math.floor(row / about.block))?.[row % about.block];
  return jpeg === undefined ? null : jpeg ? `data:image/jpeg;base64,${jpeg}` : "";
}

// What outlives a reload. A browser that keeps nothing for files keeps nothing.
function remember(storage, name, value) {
  try { window[storage].setItem(`${name} ${location.pathname}`, JSON.stringify(value)); } catch { /* not here */ }
}

function remembered(storage, name) {
  try { return JSON.parse(window[storage].getItem(`${name} ${location.pathname}`)); } catch { return null; }
}
