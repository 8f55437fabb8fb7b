/* Forms: what was typed, sent once, and what became of it said in words beside it. */

import { LoggedOut, Refused, current, taken } from "./session.js";

const DRAFT = `draft ${location.pathname}`;

/** What was typed, without blanks around it (which belong to a password, though). */
export function typed(form) {
  const trimmed = ([name, value]) => [name, name === "password" ? value : value.trim()];
  return Object.fromEntries([...new FormData(form)].map(trimmed));
}

export function fill(form, values) {
  for (const [name, value] of Object.entries(values)) form.elements[name].value = value;
}

/** `act`, but what was typed is not lost if the session turns out to be over. */
export function keepingDraft(form, act) {
  return async () => {
    const userId = current()?.userId;
    try {
      return await act();
    } catch (error) {
      if (error instanceof LoggedOut) {
        sessionStorage.setItem(DRAFT, JSON.stringify({ userId, values: typed(form) }));
      }
      throw error;
    }
  };
}

/** What `keepingDraft` kept on this page, if the same user has logged in again; or null. */
export function keptDraft() {
  try {
    const kept = JSON.parse(taken(DRAFT));
    return kept?.userId === current()?.userId ? kept?.values : null;
  } catch {
    return null;
  }
}

/** Run `act` when `form` is sent, and say beside it what that returns or why it failed. */
export function onSubmit(form, act) {
  const message = form.querySelector(".message");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(message, act, form);
  });
}

/** Run `act` when `button` is pressed; what became of it is said in `message`. */
export function onPress(button, message, act) {
  button.addEventListener("click", () => attempt(message, act, button));
}

/** True if the dialog was answered with yes. */
export function confirmed(dialog) {
  dialog.returnValue = ""; // Esc leaves the last answer standing
  dialog.showModal();
  return new Promise((resolve) => {
    const answer = () => resolve(dialog.returnValue === "yes");
    dialog.addEventListener("close", answer, { once: true });
  });
}

export function say(message, words, kind = "done") {
  message.textContent = words;
  message.dataset.kind = kind;
}

/** Run `act`, which `asker` (a form, a button) asked for; say in `message` what became of it. */
export async function attempt(message, act, asker) {
  if (asker.ariaBusy === "true") return; // pressed twice
  asker.ariaBusy = "true";
  say(message, "");
  mark(asker, []);
  try {
    say(message, (await act()) ?? "");
  } catch (error) {
    say(message, inWords(error, asker), "error");
    if (Array.isArray(error.detail)) mark(asker, error.detail);
  } finally {
    asker.ariaBusy = "false";
  }
}

function inWords(error, asker) {
  if (error instanceof LoggedOut) return "";
  if (!(error instanceof Refused)) {
    console.warn(error);
    return "The server could not be reached. Please try again.";
  }
  if (!Array.isArray(error.detail)) return error.detail;
  const sentence = (problem) => {
    const label = field(asker, problem)?.labels[0].textContent;
    return label ? `${label}: ${problem.msg}` : problem.msg;
  };
  return error.detail.map(sentence).join("\n");
}

/** Mark the fields that have a problem, and go to the first; unmark the others. */
function mark(asker, problems) {
  for (const element of asker.elements ?? []) element.removeAttribute("aria-invalid");
  const wrong = problems.map((problem) => field(asker, problem)).filter(Boolean);
  for (const element of wrong) element.setAttribute("aria-invalid", "true");
  wrong[0]?.focus();
}

function field(asker, problem) {
  return asker.elements?.[problem.loc.at(-1)];
}
