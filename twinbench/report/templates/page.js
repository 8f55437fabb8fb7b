"use strict";
// Tables sort by the columns whose headers are pressed; a link into something that is
// closed opens it. Without this everything can still be read.

const numberOf = (text) => parseFloat(text.replace(/,/g, ""));

// Numbers by size, then words (and dates, whose years are equal) by the alphabet, what is empty at
// the end.
function compare(one, other) {
  const [a, b] = [numberOf(one), numberOf(other)];
  if (!isNaN(a) && !isNaN(b)) return a - b || one.localeCompare(other);
  if (isNaN(a) !== isNaN(b)) return isNaN(a) ? 1 : -1;
  return one.localeCompare(other);
}

function sort(table, column, header) {
  const descending = header.getAttribute("aria-sort") === "ascending";
  for (const other of header.parentNode.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const text = (row) => row.cells[column].textContent.trim();
  const known = (row) => !["", "–"].includes(text(row));
  const rows = [...table.tBodies[0].rows];
  const sorted = rows.filter(known).sort((a, b) => compare(text(a), text(b)));
  if (descending) sorted.reverse();
  table.tBodies[0].append(...sorted, ...rows.filter((row) => !known(row)));
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(table, column, header));
    header.append(button);
  });
}

function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let box = target; box; box = box.parentElement) if (box.tagName === "DETAILS") box.open = true;
  if (target) target.scrollIntoView();
}
addEventListener("hashchange", reveal);
if (location.hash) reveal();
