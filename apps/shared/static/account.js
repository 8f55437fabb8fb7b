/* The account page: name and email, picture, deletion. */

import { api, current, redirectToLogin, logOut } from "./session.js";
import { runAction, confirmDialog, fill, onClick, onSubmit, formValues } from "./forms.js";

const find = (selector) => document.querySelector(selector);
const details = find("#details");
const picture = find("#picture");
const preview = find("#preview");
const removal = find("#remove-picture");
let path; // of the user in the API

function show(user) {
  path = `/api/users/${user.id}`;
  find("#name").textContent = user.username;
  find("#address").textContent = user.email;
  find("#own-posts").href = `/users/${user.id}/posts`;
  for (const image of document.querySelectorAll("img.own")) image.src = user.image_path;
  removal.hidden = !user.image_file;
}

/** Show the user, and reset the form to the saved values. */
function showEverything(user) {
  show(user);
  fill(details, { username: user.username, email: user.email });
  find("#account").hidden = false;
}

/** Show the middle of the chosen picture, which the server will keep. */
async function showPreview() {
  swapPreview(false);
  const [file] = picture.elements.file.files;
  const chosen = file && (await createImageBitmap(file).catch(() => null));
  if (!chosen) return; // the server will answer with the reason
  const side = Math.min(chosen.width, chosen.height);
  const [left, top] = [(chosen.width - side) / 2, (chosen.height - side) / 2];
  const { width, height } = preview;
  preview.getContext("2d").drawImage(chosen, left, top, side, side, 0, 0, width, height);
  swapPreview(true);
}

function swapPreview(shown) {
  preview.hidden = !shown;
  find("#now").hidden = shown;
}

async function upload() {
  show(await api("PATCH", `${path}/picture`, new FormData(picture)));
  picture.reset();
  swapPreview(false);
  return "This is your picture now.";
}

async function removePicture() {
  show(await api("DELETE", `${path}/picture`));
  find("#file").focus(); // the button is gone
  return "The picture is removed.";
}

async function deleteAccount() {
  if (!(await confirmDialog(find("#confirm")))) return;
  await api("DELETE", path);
  logOut();
}

onSubmit(details, async () => {
  showEverything(await api("PATCH", path, formValues(details)));
  return "Saved.";
});
picture.elements.file.addEventListener("change", showPreview);
onSubmit(picture, upload);
onClick(removal, picture.querySelector(".message"), removePicture);
onClick(find("#delete"), find("#end"), deleteAccount);
// After "back" the user may be another one, or logged out.
addEventListener("pageshow", (event) => event.persisted && location.reload());

if (current()) {
  const load = async () => showEverything(await api("GET", "/api/users/me"));
  runAction(find("#trouble"), load, find("#account"));
} else {
  redirectToLogin("Please log in to see your account.");
}
