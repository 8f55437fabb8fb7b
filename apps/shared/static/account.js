/* The account page: name and email, picture, the end of the account. */

import { api, current, leaveForLogin, logOut } from "./session.js";
import { attempt, confirmed, fill, onPress, onSubmit, typed } from "./forms.js";

const find = (selector) => document.querySelector(selector);
const details = find("#details");
const picture = find("#picture");
const preview = find("#preview");
const removal = find("#remove-picture");
let path; // of this user in the API

function show(user) {
  path = `/api/users/${user.id}`;
  find("#name").textContent = user.username;
  find("#address").textContent = user.email;
  find("#own-posts").href = `/users/${user.id}/posts`;
  for (const image of document.querySelectorAll("img.own")) image.src = user.image_path;
  removal.hidden = !user.image_file;
}

/** Also in the form, where something else may have been typed. */
function showEverything(user) {
  show(user);
  fill(details, { username: user.username, email: user.email });
  find("#account").hidden = false;
}

/** The middle of the chosen picture, as the server will cut it out. */
async function showPreview() {
  swapPreview(false);
  const [file] = picture.elements.file.files;
  const chosen = file && (await createImageBitmap(file).catch(() => null));
  if (!chosen) return; // the server will say why
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
  if (!(await confirmed(find("#confirm")))) return;
  await api("DELETE", path);
  logOut();
}

onSubmit(details, async () => {
  showEverything(await api("PATCH", path, typed(details)));
  return "Saved.";
});
picture.elements.file.addEventListener("change", showPreview);
onSubmit(picture, upload);
onPress(removal, picture.querySelector(".message"), removePicture);
onPress(find("#delete"), find("#end"), deleteAccount);
// Come back to with "back", perhaps after logging out: what is shown may be somebody else's.
addEventListener("pageshow", (event) => event.persisted && location.reload());

if (current()) {
  const load = async () => showEverything(await api("GET", "/api/users/me"));
  attempt(find("#trouble"), load, find("#account"));
} else {
  leaveForLogin("Please log in to see your account.");
}
