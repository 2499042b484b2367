// What the page says above the images until it is closed, or until it is no longer true.

import { $ } from "./dom.js";
import { page } from "./shared.js";

const PER_LETTER = 70, LEAST = 3500; // ms that a person needs to read it
let lasting = ""; // of something that was lost: it stays until somebody has closed it
let passing = null; // an answer to a key: its text, and the number of choices if it is true of that many alone
let timer = 0;

export function note(text) {
  lasting = text;
  letPass();
}

// An answer to a key; it goes by itself, ofNow: at the latest with the next choice.
export function answerKey(text, ofNow = false) {
  passing = { text, choices: ofNow ? page.state.choices : null };
  clearTimeout(timer);
  timer = setTimeout(letPass, Math.max(LEAST, PER_LETTER * text.length));
  show();
}

// The page has turned to something else, where the answer has no place.
export function letPass() {
  passing = null;
  show();
}

// After each word of the server: an answer that is no longer true goes.
export function checkNotes() {
  if (passing && passing.choices !== null && passing.choices !== page.state.choices) letPass();
}

export function closeNote() {
  if (passing) letPass();
  else note("");
}

function show() {
  const text = passing?.text ?? lasting;
  $("note").firstElementChild.textContent = text;
  $("note").hidden = !text;
}
