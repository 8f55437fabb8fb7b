/* Logging in and registering: both end with a token. */

import { api, current, logIn, taken } from "./session.js";
import { onSubmit, say, typed } from "./forms.js";

const login = document.querySelector("#login");
const register = document.querySelector("#register");

if (current()) location.replace("/account");

if (login) {
  say(login.querySelector(".message"), taken("why-login") ?? "");
  onSubmit(login, () => {
    const { username, password } = typed(login);
    return logIn(username, password);
  });
}

if (register) {
  onSubmit(register, async () => {
    const user = typed(register);
    await api("POST", "/api/users", user);
    await logIn(user.email, user.password);
  });
}
