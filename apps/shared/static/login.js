/* Login and registration; both store a session. */

import { api, current, logIn, popItem } from "./session.js";
import { onSubmit, showMessage, formValues } from "./forms.js";

const login = document.querySelector("#login");
const register = document.querySelector("#register");

if (current()) location.replace("/account");

if (login) {
  showMessage(login.querySelector(".message"), popItem("login-reason") ?? "");
  onSubmit(login, () => {
    const { username, password } = formValues(login);
    return logIn(username, password);
  });
}

if (register) {
  onSubmit(register, async () => {
    const user = formValues(register);
    await api("POST", "/api/users", user);
    await logIn(user.email, user.password);
  });
}
