"use strict";
{
  // The table of claims, sorted by its heads and filtered by its form.
  const table = document.querySelector("table.claims"), form = document.querySelector("form.filters");
  const rows = table ? [...table.tBodies[0].rows] : [];
  const keys = new Map(rows.map((row) => [row, JSON.parse(row.dataset.sort)]));

  function sortBy(head) {
    const key = head.dataset.key, falling = head.getAttribute("aria-sort") === "ascending";
    table.querySelectorAll("th[aria-sort]").forEach((one) => one.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en", {numeric: true}) : a - b);
    const own = (row) => keys.get(row)[key];
    const order = (a, b) => {
      const lacking = (own(a) === undefined) - (own(b) === undefined);
      return lacking || (own(a) === undefined ? 0 : (falling ? -1 : 1) * compare(own(a), own(b))) || keys.get(a).id - keys.get(b).id;
    };
    table.tBodies[0].append(...rows.sort(order));
  }

  for (const head of table ? table.querySelectorAll("th[data-key]") : []) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => sortBy(head));
  }

  function filter() {
    const wanted = [...new FormData(form)].filter(([, value]) => value);
    rows.forEach((row) => { row.hidden = !wanted.every(([name, value]) => row.dataset[name] === value); });
    form.querySelector("output").value = `${rows.filter((row) => !row.hidden).length} of ${rows.length} shown`;
  }

  if (form) {
    form.hidden = false;
    form.addEventListener("input", filter);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(filter));
    filter();
  }

  // All tests and steps at once, and the one, or the claim, that a link leads to.
  const folded = [...document.querySelectorAll("article.result > details")], all = document.querySelector("[data-fold]");
  if (all && folded.length) {
    all.hidden = false;
    all.addEventListener("click", () => {
      const open = folded.some((one) => !one.open);
      folded.forEach((one) => { one.open = open; });
      all.textContent = open ? "Close all tests and steps" : "Open all tests and steps";
    });
  }
  const reveal = () => {
    const meant = location.hash && document.getElementById(location.hash.slice(1));
    if (!meant) return;
    const holder = meant.closest("article.result > details");
    if (holder) holder.open = true;
    if (form && meant.matches("table.claims tr") && meant.hidden) {
      form.reset();
      setTimeout(() => meant.scrollIntoView());
    }
  };
  addEventListener("hashchange", reveal);
  reveal();
}
