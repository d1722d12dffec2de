"use strict";
// The server filters by what the form sends; while one types, the rows that are here are filtered at once.
const box = document.getElementById("q"), told = document.getElementById("told");
const rows = [...document.querySelectorAll("tr[data-text]")];
const before = told.textContent;

function narrow() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  rows.forEach((row) => { row.hidden = !words.every((word) => row.dataset.text.includes(word)); });
  const n = rows.filter((row) => !row.hidden).length;
  const more = box.value.startsWith(box.dataset.asked) ? "" : ", of those that were found before; Enter searches all";
  told.textContent = box.value === box.dataset.asked ? before : `${n} of the ${rows.length} listed here${more}`;
  rows.filter((row) => row.hidden).forEach((row) => row.querySelectorAll("input:checked").forEach((one) => { one.checked = false; }));
}
box.addEventListener("input", narrow);
