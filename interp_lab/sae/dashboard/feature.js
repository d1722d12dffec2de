// The open feature: drawn when it is asked for, and nothing kept of the one before.
const holder = byId("feature"), tip = byId("tip");
let opened = null, shownBin = "all";

function binName(bin) {
  if (bin === 0) return "top examples";
  const [from, to] = data.bins[bin - 1];
  return `${decimal(100 * from)}% to ${decimal(100 * to)}% of active values, by size`;
}

function drawToken(number, value, most) {
  const text = signed(texts[number]), token = make("span", {class: "token"}, text);
  if (value !== undefined) {
    token.classList.add("active");
    token.style.setProperty("--s", Math.min(1, Math.max(.12, value / most)).toFixed(3));
  }
  token.told = `${shown(number)}: ${value === undefined ? 0 : decimal(value)}`;
  return token;
}

// Texts of an example stand in one string, a few digits of base 64 each.
function decoded(code) {
  const numbers = [];
  for (let at = 0; at < code.length; at += data.per_text) {
    let number = 0;
    for (let digit = at; digit < at + data.per_text; digit += 1) number = 64 * number + data.digits.indexOf(code[digit]);
    numbers.push(number);
  }
  return numbers;
}

function drawExample([, document_, position, begin, value, code, pairs], most) {
  const values = new Map(), numbers = decoded(code);
  for (let nth = 0; nth < pairs.length; nth += 2) values.set(pairs[nth], pairs[nth + 1]);
  const tokens = numbers.map((number, place) => drawToken(number, values.get(place), most));
  tokens[begin].classList.add("begin");
  const where = `document ${document_}, position ${position}`;
  const line = make("p", {class: data.spaced ? "example" : "example worded", tabindex: 0, role: "group", title: where,
    "aria-label": `${where}, value ${decimal(value)}: ${numbers.map(shown).join(" ")}`}, make("span", {class: "value"}, decimal(value)));
  tokens.forEach((token) => line.append(token, ...(data.spaced ? [] : [" "])));
  Object.assign(line, {tokens, begin});
  return line;
}

function drawExamples(row) {
  const most = columns.max[row] || 1, part = make("section", {}), body = make("div");
  const rows = data.features[row].e, bins = [...new Set(rows.map(([bin]) => bin))];
  const chooser = make("select", {id: "bins", "aria-label": "which examples"}, make("option", {value: "all"}, "all bins"),
    ...bins.map((bin) => make("option", {value: bin}, binName(bin))));
  if (bins.some((bin) => `${bin}` === shownBin)) chooser.value = shownBin;
  const fill = () => {
    body.replaceChildren();
    for (const bin of bins) {
      if (chooser.value !== "all" && chooser.value !== `${bin}`) continue;
      body.append(make("h4", {}, binName(bin)), ...rows.filter(([own]) => own === bin).map((one) => drawExample(one, most)));
    }
    if (!rows.length) body.append(make("p", {class: "soft"}, "No example: it was never active on this text."));
  };
  chooser.addEventListener("change", () => { shownBin = chooser.value; fill(); });
  fill();
  part.append(make("h3", {}, "Examples", chooser), body);
  return part;
}

function drawEffects(title, rows, kind) {
  const most = Math.max(...rows.map(([, effect]) => Math.abs(effect)), 1e-9);
  const cells = rows.map(([number, effect]) => [shown(number), decimal(effect), make("i", {share: (Math.abs(effect) / most).toFixed(3)})]);
  const heads = [["token", "text"], ["effect", "number"], ["", `gauge ${kind}`]];
  return make("section", {}, make("h3", {}, title), rows.length ? tableOf(heads, cells) : make("p", {class: "soft"}, "none"));
}

function drawTokens(rows) {
  const heads = [["token", "text"], ["count", "number"], ["mean", "number"], ["share", "number"], ["lift", "number"]];
  const cells = rows.map(([number, count, mean, share, lift]) => [shown(number), decimal(count), decimal(mean), percent(share), decimal(lift)]);
  return make("section", {}, make("h3", {}, "Tokens it is active on"), rows.length ? tableOf(heads, cells) : make("p", {class: "soft"}, "none"));
}

function drawNear(title, rows) {
  const lines = rows.map(([other, value]) => {
    const row = rowOf.get(other), name = `latent ${other}`;
    const link = row === undefined ? make("span", {title: "not on this page"}, name) : make("a", {href: `#latent-${other}`}, name);
    return make("li", {}, make("span", {class: "number"}, decimal(value)), link, make("span", {class: "soft"}, row === undefined ? "" : ` ${signed(data.labels[row])}`));
  });
  return make("section", {}, make("h3", {}, title), lines.length ? make("ul", {class: "links"}, ...lines) : make("p", {class: "soft"}, "none"));
}

function drawFeature(row) {
  const feature = data.features[row];
  const measures = Object.keys(data.measures).filter((name) => name !== "latent");
  const facts = measures.map((name) => make("div", {}, make("dt", {}, data.measures[name]), make("dd", {}, asText(name, columns[name][row]))));
  const chip = data.heuristic[row] ? make("span", {class: "kind", title: "put together from token counts by fixed rules"}, "heuristic") : null;
  const head = make("p", {class: "label"}, `${signed(data.labels[row])} `);
  if (chip) head.append(chip);
  const histogram = make("section", {}, make("h3", {}, "Active values"), feature.h.length ? drawHistogram(feature.h) : make("p", {class: "soft"}, "none"));
  holder.replaceChildren(make("h2", {}, `latent ${columns.latent[row]}`), head, make("dl", {class: "measures"}, ...facts),
    make("div", {class: "columns"}, histogram, drawTokens(feature.t)),
    make("div", {class: "columns"}, drawEffects("Its direction writes towards", feature.p, "up"), drawEffects("Its direction writes against", feature.n, "down")),
    drawExamples(row),
    make("div", {class: "columns"}, drawNear("Nearest by decoder (cosine)", feature.d), drawNear("Active together (phi)", feature.c)));
  opened = row;
  tip.hidden = true;
}

// The value of a token: under the pointer, or from token to token with the arrow keys.
function tell(token) {
  const box = token.getClientRects()[0] || token.getBoundingClientRect();
  tip.textContent = token.told;
  tip.hidden = false;
  tip.style.left = `${Math.max(4, Math.min(box.left, innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${box.bottom + tip.offsetHeight + 6 > innerHeight ? box.top - tip.offsetHeight - 4 : box.bottom + 4}px`;
}
function stand(line, place) {
  line.tokens.forEach((token, nth) => token.classList.toggle("current", nth === place));
  line.place = place;
  if (place === undefined) tip.hidden = true;
  else tell(line.tokens[place]);
}
holder.addEventListener("pointerover", (event) => {
  if (event.target.told !== undefined) tell(event.target);
  else if (!holder.querySelector(".current")) tip.hidden = true;
});
holder.addEventListener("pointerleave", () => { if (!holder.querySelector(".current")) tip.hidden = true; });
holder.addEventListener("focusin", ({target}) => { if (target.tokens && target.matches(":focus-visible")) stand(target, target.begin); });
holder.addEventListener("focusout", ({target}) => { if (target.tokens) stand(target); });
holder.addEventListener("keydown", (event) => {
  const line = event.target, step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
  if (!line.tokens || !step) return;
  event.preventDefault();
  stand(line, Math.max(0, Math.min(line.tokens.length - 1, (line.place ?? line.begin) + step)));
});
addEventListener("scroll", () => { tip.hidden = true; }, {passive: true});
