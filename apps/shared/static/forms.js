/* Forms: read the values, send them once, and show the result beside the form. */

import { SessionEnded, ApiError, current, popItem } from "./session.js";

const DRAFT = `draft ${location.pathname}`;

/** Return the values of a form, trimmed except for the password. */
export function formValues(form) {
  const trimmed = ([name, value]) => [name, name === "password" ? value : value.trim()];
  return Object.fromEntries([...new FormData(form)].map(trimmed));
}

export function fill(form, values) {
  for (const [name, value] of Object.entries(values)) form.elements[name].value = value;
}

/** Return `action` wrapped so that it saves the values if the session has ended. */
export function withDraft(form, action) {
  return async () => {
    const userId = current()?.userId;
    try {
      return await action();
    } catch (error) {
      if (error instanceof SessionEnded) {
        sessionStorage.setItem(DRAFT, JSON.stringify({ userId, values: formValues(form) }));
      }
      throw error;
    }
  };
}

/** Return the values that `withDraft` saved on this page for the same user, or null. */
export function savedDraft() {
  try {
    const kept = JSON.parse(popItem(DRAFT));
    return kept?.userId === current()?.userId ? kept?.values : null;
  } catch {
    return null;
  }
}

/** Run `action` when `form` is submitted, and show its result or error in the form. */
export function onSubmit(form, action) {
  const message = form.querySelector(".message");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    runAction(message, action, form);
  });
}

/** Run `action` when `button` is clicked, and show its result or error in `message`. */
export function onClick(button, message, action) {
  button.addEventListener("click", () => runAction(message, action, button));
}

/** Show a dialog and return whether the answer was yes. */
export function confirmDialog(dialog) {
  dialog.returnValue = ""; // Esc keeps the last value
  dialog.showModal();
  return new Promise((resolve) => {
    const onClose = () => resolve(dialog.returnValue === "yes");
    dialog.addEventListener("close", onClose, { once: true });
  });
}

export function showMessage(message, text, kind = "done") {
  message.textContent = text;
  message.dataset.kind = kind;
}

/** Run `action` for `source` (a form or a button); show its result or error in `message`. */
export async function runAction(message, action, source) {
  if (source.ariaBusy === "true") return; // already running
  source.ariaBusy = "true";
  showMessage(message, "");
  markInvalid(source, []);
  try {
    showMessage(message, (await action()) ?? "");
  } catch (error) {
    showMessage(message, errorMessage(error, source), "error");
    if (Array.isArray(error.detail)) markInvalid(source, error.detail);
  } finally {
    source.ariaBusy = "false";
  }
}

function errorMessage(error, source) {
  if (error instanceof SessionEnded) return "";
  if (!(error instanceof ApiError)) {
    console.warn(error);
    return "The server could not be reached. Please try again.";
  }
  if (!Array.isArray(error.detail)) return error.detail;
  const sentence = (problem) => {
    const label = field(source, problem)?.labels[0].textContent;
    return label ? `${label}: ${problem.msg}` : problem.msg;
  };
  return error.detail.map(sentence).join("\n");
}

/** Mark the fields that have an error and focus the first; unmark the others. */
function markInvalid(source, problems) {
  for (const element of source.elements ?? []) element.removeAttribute("aria-invalid");
  const wrong = problems.map((problem) => field(source, problem)).filter(Boolean);
  for (const element of wrong) element.setAttribute("aria-invalid", "true");
  wrong[0]?.focus();
}

function field(source, problem) {
  return source.elements?.[problem.loc.at(-1)];
}
