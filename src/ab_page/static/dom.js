// The elements of the page, and how new ones are made.

export const $ = (id) => document.getElementById(id);
export const stage = $("stage"), report = $("report");

export function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

export function makeSvg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const came = new Set(); // addresses of images that were shown
document.addEventListener("load", ({ target }) => target.tagName === "IMG" && came.add(target.src), true); // it doesn't bubble

// Those of the images ({ src }) that need not be asked for: the scorer may be gone.
export const thatCame = (images) => images.filter(({ src }) => came.has(new URL(src, location).href));

// Ask for no image any more.
export function stopLoading() {
  for (const image of document.images) image.complete || image.removeAttribute("src");
}
