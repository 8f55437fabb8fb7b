/* Who is logged in, and every request to the API.
 *
 * The token is kept in localStorage, with the id of the user that it was made for. Whatever
 * carries data-for="user" or data-for="guest" is shown to the one or the other: the server
 * renders the same page for everybody, with both hidden.
 */

const KEY = "session";
const TOKEN = /^[\x21-\x7e]+$/; // what may stand in a header

/** {token, userId}, or null for a guest (or if what is stored is no session). */
export function current() {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY));
    return TOKEN.test(stored?.token) && stored.userId ? stored : null;
  } catch {
    return null;
  }
}

/** An answer that is not 2xx. `detail` is the API's: a sentence, or a list of {type, loc, msg}. */
export class Refused extends Error {
  constructor(status, detail) {
    super(`The server answered with ${status}`);
    this.detail = detail ?? `${this.message}.`;
  }
}

/** The session was over: the page is on its way to /login. */
export class LoggedOut extends Error {}

/** Ask the API; `body` is an object (sent as JSON), FormData or URLSearchParams. */
export async function api(method, path, body, token = current()?.token) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (body && body.constructor === Object) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(body);
  }
  const answer = await fetch(path, { method, headers, body });
  if (answer.status === 401 && token) {
    localStorage.removeItem(KEY);
    leaveForLogin("Your session has ended. Please log in again.");
    throw new LoggedOut();
  }
  const said = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw new Refused(answer.status, said?.detail);
  return said;
}

/** Get a token, find out whose it is, and go to where the login was asked for. */
export async function logIn(email, password) {
  const form = new URLSearchParams({ username: email, password });
  const { access_token: token } = await api("POST", "/api/users/token", form);
  const { id } = await api("GET", "/api/users/me", undefined, token);
  localStorage.setItem(KEY, JSON.stringify({ token, userId: id }));
  location.replace(taken("after-login") ?? "/");
}

export function logOut() {
  localStorage.removeItem(KEY);
  location.assign("/");
}

/** Go to /login, which says `why` and comes back here; "back" does not, or it would be a trap. */
export function leaveForLogin(why) {
  sessionStorage.setItem("why-login", why);
  sessionStorage.setItem("after-login", location.pathname);
  location.replace("/login");
}

/** What was left in sessionStorage for this one page, or null. */
export function taken(name) {
  const value = sessionStorage.getItem(name);
  sessionStorage.removeItem(name);
  return value;
}

function showWhatFits() {
  const who = current() ? "user" : "guest";
  for (const element of document.querySelectorAll("[data-for]")) {
    element.hidden = element.dataset.for !== who;
  }
}

document.querySelector("#log-out").addEventListener("click", logOut);
for (const link of document.querySelectorAll("nav a")) {
  if (link.pathname === location.pathname) link.setAttribute("aria-current", "page");
}
showWhatFits();
addEventListener("storage", showWhatFits); // logged in or out in another tab
addEventListener("pageshow", showWhatFits); // come back to with "back"
