/* The session of the logged-in user, and requests to the API.
 *
 * localStorage keeps the token and the id of its user. Elements with data-for="user" are shown to
 * a logged-in user and those with data-for="guest" to a guest: the server renders the same page
 * for everybody, with both hidden.
 */

const KEY = "session";
const TOKEN = /^[\x21-\x7e]+$/; // valid in a header

/** Return {token, userId}, or null for a guest or an invalid stored value. */
export function current() {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY));
    return TOKEN.test(stored?.token) && stored.userId ? stored : null;
  } catch {
    return null;
  }
}

/** A response that is not 2xx. `detail` is a sentence or a list of {type, loc, msg}. */
export class ApiError extends Error {
  constructor(status, detail) {
    super(`The server answered with ${status}`);
    this.detail = detail ?? `${this.message}.`;
  }
}

/** The session has ended and the page is about to go to /login. */
export class SessionEnded extends Error {}

/** Send a request; `body` is an object (sent as JSON), FormData or URLSearchParams. */
export async function api(method, path, body, token = current()?.token) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (body && body.constructor === Object) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(body);
  }
  const response = await fetch(path, { method, headers, body });
  if (response.status === 401 && token) {
    localStorage.removeItem(KEY);
    redirectToLogin("Your session has ended. Please log in again.");
    throw new SessionEnded();
  }
  const data = response.status === 204 ? null : await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, data?.detail);
  return data;
}

/** Get a token and its user, store them, and return to the page that asked for a login. */
export async function logIn(email, password) {
  const form = new URLSearchParams({ username: email, password });
  const { access_token: token } = await api("POST", "/api/users/token", form);
  const { id } = await api("GET", "/api/users/me", undefined, token);
  localStorage.setItem(KEY, JSON.stringify({ token, userId: id }));
  location.replace(popItem("after-login") ?? "/");
}

export function logOut() {
  localStorage.removeItem(KEY);
  location.assign("/");
}

/** Go to /login, which shows `reason` and returns to this page. */
export function redirectToLogin(reason) {
  sessionStorage.setItem("login-reason", reason);
  sessionStorage.setItem("after-login", location.pathname);
  location.replace("/login"); // not into the history: "back" would lead here again
}

/** Remove an item of sessionStorage and return it, or null. */
export function popItem(name) {
  const value = sessionStorage.getItem(name);
  sessionStorage.removeItem(name);
  return value;
}

function updateVisibility() {
  const who = current() ? "user" : "guest";
  for (const element of document.querySelectorAll("[data-for]")) {
    element.hidden = element.dataset.for !== who;
  }
}

document.querySelector("#log-out").addEventListener("click", logOut);
for (const link of document.querySelectorAll("nav a")) {
  if (link.pathname === location.pathname) link.setAttribute("aria-current", "page");
}
updateVisibility();
addEventListener("storage", updateVisibility); // logged in or out in another tab
addEventListener("pageshow", updateVisibility); // restored with "back"
