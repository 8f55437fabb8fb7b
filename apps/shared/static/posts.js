/* Lists of posts: more of them on demand, and on the home page a new one. */

import { api } from "./session.js";
import { fill, keptDraft, keepingDraft, onPress, onSubmit, typed } from "./forms.js";

// As the server writes it: 05 January 2026, in UTC.
const DATE = new Intl.DateTimeFormat("en-GB", {
  day: "2-digit",
  month: "long",
  year: "numeric",
  timeZone: "UTC",
});

const list = document.querySelector("#posts");
const more = document.querySelector("#load-more");
const write = document.querySelector("#write");

/** Jinja's truncate(160): cut between words, and only where at least 6 letters go. */
function excerpt(text) {
  const letters = [...text];
  if (letters.length <= 165) return text;
  return letters.slice(0, 159).join("").replace(/ [^ ]*$/, "") + "…";
}

/** A copy of the server's own markup. Text goes in as text: what it says is never markup. */
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
  // A post written since the page was made moves the others on: some come again.
  const unseen = page.posts.filter((post) => !list.querySelector(`[data-post="${post.id}"]`));
  list.append(...unseen.map(card));
  list.dataset.next = page.skip + page.posts.length;
  more.hidden = !page.has_more;
  if (more.hidden) list.querySelector("article:last-of-type a").focus(); // not nowhere
  const shown = list.querySelectorAll("article").length;
  return `${shown.toLocaleString("en")} of ${page.total.toLocaleString("en")} posts`;
}

if (more) {
  more.hidden = false;
  onPress(more, document.querySelector(".more [role=status]"), loadMore);
}

if (write) {
  const form = write.querySelector("form");
  const draft = keptDraft();
  if (draft) {
    fill(form, draft);
    write.open = true;
  }
  const publish = async () => {
    const post = await api("POST", "/api/posts", typed(form));
    form.reset(); // not there again after "back"
    location.assign(`/posts/${post.id}`);
  };
  onSubmit(form, keepingDraft(form, publish));
}
