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

export function note(text) {
  $("note").firstElementChild.textContent = text;
  $("note").hidden = false;
}
