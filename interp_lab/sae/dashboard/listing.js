// Which features are listed, in which order; of the list only the rows in view are in the document.
const TALL = 48, SPARE = 6;
const list = byId("list"), spacer = byId("spacer");
const controls = ["query", "where", "state", "measure", "from", "to"].map(byId);
const [query, where, state, measure, from, to] = controls, order = byId("order");
const lower = texts.map((text) => text.toLowerCase()), labels = data.labels.map((label) => label.toLowerCase());
let rows = [];

for (const [name, title] of Object.entries(data.measures)) measure.add(new Option(title, name));
measure.value = "density";

const inState = {
  all: () => true,
  alive: (row) => columns.n_active[row] > 0,
  dead: (row) => columns.n_active[row] === 0,
  dense: (row) => columns.density[row] > data.dense,
  sparse: (row) => columns.n_active[row] > 0 && columns.density[row] <= data.dense,
};

function found(words) {
  if (!words) return () => true;
  const known = new Set(), exact = /^#?\d+$/.test(words) ? Number(words.replace("#", "")) : null;
  // Spaces belong to tokens where tokens have them; a search for `·the` means a token that begins with one.
  const sought = words.replace(/^·+/, (dots) => " ".repeat(dots.length));
  lower.forEach((text, number) => { if (text.includes(sought) || (sought === "↵" && text.includes("\n"))) known.add(number); });
  const among = (name) => (row) => data.features[row][name].some(([number]) => known.has(number));
  const ways = {number: (row) => columns.latent[row] === exact, label: (row) => labels[row].includes(words), fires: among("t"), writes: among("p")};
  if (where.value !== "any") return ways[where.value];
  return exact !== null && words.startsWith("#") ? ways.number : (row) => Object.values(ways).some((way) => way(row));
}

// From and to are quantiles of the measure among the features that the other filters leave.
function inQuantiles(kept, values) {
  const ranked = kept.filter((row) => values[row] !== null).sort((a, b) => values[a] - values[b]);
  const low = Math.min(100, Math.max(0, Number(from.value) || 0)) / 100, high = to.value === "" ? 1 : Math.min(100, Math.max(0, Number(to.value) || 0)) / 100;
  if (low === 0 && high === 1) return kept;
  return ranked.slice(Math.floor(low * ranked.length), Math.ceil(high * ranked.length));
}

function choose() {
  const values = columns[measure.value], way = order.getAttribute("aria-pressed") === "true" ? -1 : 1;
  const matches = found(query.value.toLowerCase().replace(/\s+$/, "")), kept = [];
  for (let row = 0; row < n; row += 1) if (inState[state.value](row) && matches(row)) kept.push(row);
  rows = inQuantiles(kept, values).sort((a, b) => (values[a] === null) - (values[b] === null) || way * (values[a] - values[b]) || a - b);
  byId("count").textContent = `${rows.length.toLocaleString("en")} of ${n.toLocaleString("en")} features`;
  spacer.style.height = `${rows.length * TALL}px`;
  list.scrollTop = 0;
  fillList();
}

function drawRow(row, place) {
  const latent = columns.latent[row], is = (name) => `${data.measures[name]} ${asText(name, columns[name][row])}`;
  const first = ["latent", "density", "max"].includes(measure.value) ? "" : `${is(measure.value)} · `;
  const made = make("div", {class: "row", role: "option", id: `row-${latent}`, "aria-selected": row === opened, "aria-setsize": rows.length, "aria-posinset": place + 1},
    make("span", {}, make("b", {}, `${latent} `), signed(data.labels[row])), make("small", {}, `${first}${is("density")} · ${is("max")}`));
  made.style.top = `${place * TALL}px`;
  made.addEventListener("click", () => go(row));
  return made;
}

function fillList() {
  const first = Math.max(0, Math.floor(list.scrollTop / TALL) - SPARE);
  const last = Math.min(rows.length, Math.ceil((list.scrollTop + list.clientHeight) / TALL) + SPARE);
  if (!rows.length) spacer.replaceChildren(make("p", {class: "soft none", role: "none"}, "no feature matches; reset shows all"));
  else spacer.replaceChildren(...rows.slice(first, last).map((row, nth) => drawRow(row, first + nth)));
  const selected = opened !== null && byId(`row-${columns.latent[opened]}`);
  if (selected) list.setAttribute("aria-activedescendant", selected.id);
  else list.removeAttribute("aria-activedescendant");
}

function reveal(place) {
  if (place * TALL < list.scrollTop) list.scrollTop = place * TALL;
  else if ((place + 1) * TALL > list.scrollTop + list.clientHeight) list.scrollTop = (place + 1) * TALL - list.clientHeight;
}

// A feature has an address of its own, so that links, reloading and going back work.
const go = (row) => { location.hash = `latent-${columns.latent[row]}`; };
function open(row) {
  drawFeature(row);
  const place = rows.indexOf(row);
  if (place >= 0) reveal(place);
  fillList();
}
function follow() {
  const asked = /^#latent-(\d+)$/.exec(location.hash), row = asked ? rowOf.get(Number(asked[1])) : undefined;
  const told = byId("told");
  told.textContent = asked && row === undefined ? `latent ${asked[1]} is not on this page: it holds ${n.toLocaleString("en")} of ${data.width.toLocaleString("en")}` : "";
  told.hidden = !told.textContent;
  if (row === undefined || row === opened) return;
  const inside = holder.contains(document.activeElement) || holder.contains(document.querySelector("a:hover"));
  open(row);
  if (inside) { holder.focus({preventScroll: true}); holder.scrollIntoView(); }
}
function move(step) {
  if (!rows.length) return;
  const place = rows.indexOf(opened);
  go(rows[Math.max(0, Math.min(rows.length - 1, place < 0 ? 0 : place + step))]);
}

controls.forEach((control) => control.addEventListener("input", choose));
order.addEventListener("click", () => {
  const down = order.getAttribute("aria-pressed") !== "true";
  order.setAttribute("aria-pressed", down);
  order.textContent = down ? "largest first" : "smallest first";
  choose();
});
byId("reset").addEventListener("click", () => {
  Object.entries({query: "", where: "any", state: "all", measure: "density", from: 0, to: 100}).forEach(([id, value]) => { byId(id).value = value; });
  if (order.getAttribute("aria-pressed") === "true") choose();
  else order.click();
});
list.addEventListener("scroll", fillList, {passive: true});
list.addEventListener("keydown", (event) => {
  const page = Math.max(1, Math.floor(list.clientHeight / TALL) - 1);
  const step = {ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -n, End: n}[event.key];
  if (step) { event.preventDefault(); move(step); }
  else if (event.key === "Enter") holder.focus();
});
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) {
    if (event.key === "Escape" && event.target === query) list.focus();
    return;
  }
  if (event.key === "/") { event.preventDefault(); query.focus(); query.select(); }
  else if (event.key === "j" || event.key === "k") move(event.key === "j" ? 1 : -1);
});
addEventListener("hashchange", follow);
addEventListener("resize", fillList);
choose();
follow();
if (opened === null && rows.length) open(rows[0]);
