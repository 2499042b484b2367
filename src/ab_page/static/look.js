// What stands around the images: the question, the keys, the ground they lie on, and a word on what was done.

import { $, make } from "./dom.js";
import { page } from "./shared.js";

const LEARNT = 10; // choices after which the keys are known
const GROUNDS = ["", "grey", "dark", "light"]; // "": as the system has it
const NAMES = { "": "as your system has it", grey: "neutral grey", dark: "dark", light: "light" };

export function showQuestion() {
  const { question, choices, at_once } = page.state;
  $("question").textContent = question;
  document.body.classList.toggle("learning", choices < LEARNT && at_once === 2);
}

function setGround(name) {
  document.documentElement.dataset.ground = name;
  localStorage.setItem("ground", name);
}

export function nextGround() {
  const name = GROUNDS[(GROUNDS.indexOf(document.documentElement.dataset.ground ?? "") + 1) % GROUNDS.length];
  setGround(name);
  toast(`The ground is ${NAMES[name]}.`);
}

if (GROUNDS.includes(localStorage.getItem("ground"))) setGround(localStorage.getItem("ground"));

let timer = 0;

// A few words that go by themselves. image: what they are about, by id.
export function toast(text, image = null) {
  const picture = image === null ? [] : [make("img")];
  for (const one of picture) Object.assign(one, { src: `/image/${image}?width=64&height=64`, alt: "" });
  $("toast").replaceChildren(...picture, make("span", "", text));
  $("toast").hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => ($("toast").hidden = true), 3500);
}
