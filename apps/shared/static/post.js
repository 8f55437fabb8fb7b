/* One post: its author can edit it in place and delete it. */

import { api, current } from "./session.js";
import { confirmDialog, fill, withDraft, savedDraft, onClick, onSubmit, formValues } from "./forms.js";

const post = document.querySelector("#post");
const title = post.querySelector("h1");
const content = post.querySelector(".content");
const own = document.querySelector("#own");
const message = own.querySelector(".message");
const actions = own.querySelector("#actions");
const editor = own.querySelector("#editor");
const path = `/api/posts/${post.dataset.post}`;

function edit(values) {
  fill(editor, values);
  showEditor(true);
  editor.elements.title.focus();
}

function showEditor(shown) {
  editor.hidden = !shown;
  post.hidden = actions.hidden = shown;
}

async function save() {
  const saved = await api("PATCH", path, formValues(editor));
  title.textContent = document.title = saved.title;
  content.textContent = saved.content;
  finish("Saved.");
}

function finish(text) {
  showEditor(false);
  message.textContent = text;
  own.querySelector("#edit").focus();
}

async function remove() {
  if (!(await confirmDialog(own.querySelector("#confirm")))) return;
  await api("DELETE", path);
  location.replace("/");
}

// The server checks the owner; this only shows the buttons.
if (String(current()?.userId) === post.dataset.owner) {
  own.hidden = false;
  const written = () => ({ title: title.textContent, content: content.textContent });
  onClick(own.querySelector("#edit"), message, () => edit(written()));
  onClick(own.querySelector("#delete"), message, remove);
  own.querySelector("#cancel").addEventListener("click", () => finish(""));
  onSubmit(editor, withDraft(editor, save));
  const draft = savedDraft();
  if (draft) edit(draft);
}
