/* Lists of posts: load more, and write a new post on the home page. */

import { api } from "./session.js";
import { fill, savedDraft, withDraft, onClick, onSubmit, formValues } from "./forms.js";

// The format of the templates: 05 January 2026, in UTC.
const DATE = new Intl.DateTimeFormat("en-GB", {
  day: "2-digit",
  month: "long",
  year: "numeric",
  timeZone: "UTC",
});

const list = document.querySelector("#posts");
const more = document.querySelector("#load-more");
const write = document.querySelector("#write");

/** Jinja's truncate(160): cut between words, only if the text is over 165 characters. */
function excerpt(text) {
  const letters = [...text];
  if (letters.length <= 165) return text;
  return letters.slice(0, 159).join("").replace(/ [^ ]*$/, "") + "…";
}

/** Fill a copy of the server's own template. Values are set as text, never as markup. */
function card(post) {
  const copy = document.querySelector("#card").content.cloneNode(true);
  const [title, author] = copy.querySelectorAll("h2 a, .byline a");
  const time = copy.querySelector("time");
  copy.querySelector("article").dataset.post = post.id;
  copy.querySelector("img").src = post.author.image_path;
  title.href = `/posts/${post.id}`;
  title.textContent = post.title;
  author.href = `/users/${post.user_id}/posts`;
  author.textContent = post.author.username;
  time.dateTime = post.date_posted;
  time.textContent = DATE.format(new Date(post.date_posted));
  copy.querySelector(".excerpt").textContent = excerpt(post.content);
  return copy;
}

async function loadMore() {
  const { source, next, limit } = list.dataset;
  const page = await api("GET", `${source}?skip=${next}&limit=${limit}`);
  // A post written in the meantime moves the others down, so some are sent again.
  const unseen = page.posts.filter((post) => !list.querySelector(`[data-post="${post.id}"]`));
  list.append(...unseen.map(card));
  list.dataset.next = page.skip + page.posts.length;
  more.hidden = !page.has_more;
  if (more.hidden) list.querySelector("article:last-of-type a").focus(); // the focused button is gone
  const shown = list.querySelectorAll("article").length;
  return `${shown.toLocaleString("en")} of ${page.total.toLocaleString("en")} posts`;
}

if (more) {
  more.hidden = false;
  onClick(more, document.querySelector(".more [role=status]"), loadMore);
}

if (write) {
  const form = write.querySelector("form");
  const draft = savedDraft();
  if (draft) {
    fill(form, draft);
    write.open = true;
  }
  const publish = async () => {
    const post = await api("POST", "/api/posts", formValues(form));
    form.reset(); // so that "back" does not show it again
    location.assign(`/posts/${post.id}`);
  };
  onSubmit(form, withDraft(form, publish));
}
