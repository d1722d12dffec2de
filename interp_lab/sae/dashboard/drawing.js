"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const {columns, texts} = data, n = columns.latent.length;
const rowOf = new Map(columns.latent.map((latent, row) => [latent, row]));
const byId = (id) => document.getElementById(id);

// Everything that came from text is put in as text, never as markup.
function make(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class") made.className = value;
    else if (key === "share") made.style.setProperty("--s", value);
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

const signs = {"\n": "↵", "\t": "⇥", "\r": "␍", "": "∅"};
const signed = (text) => (text === "" ? signs[""] : text.replace(/[\n\t\r]/g, (one) => signs[one]));
// A token on its own: leading spaces, which tell tokens apart, are shown.
const shown = (number) => signed(texts[number]).replace(/^ +/, (spaces) => "·".repeat(spaces.length));
const percent = (value) => (value === null ? "–" : value === 0 ? "0%" : value < 1e-4 ? `${(100 * value).toExponential(1)}%` : `${+(100 * value).toPrecision(3)}%`);
const decimal = (value) => (value === null ? "–" : Number.isInteger(value) ? value.toLocaleString("en") : `${value}`);
const asText = (measure, value) => (["density", "top_token_share"].includes(measure) ? percent(value) : decimal(value));

function tableOf(heads, rows) {
  const head = make("tr", {}, ...heads.map(([text, kind]) => (text ? make("th", {scope: "col", class: kind}, text) : make("td", {class: kind}))));
  const body = rows.map((cells) => make("tr", {}, ...cells.map((cell, nth) => make("td", {class: heads[nth][1]}, cell))));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
}

// Counts on a logarithmic scale; bins side by side, however wide they are, with the values at their edges below.
function drawHistogram(bins) {
  const space = "http://www.w3.org/2000/svg", width = 340, height = 124, foot = 30;
  const svg = document.createElementNS(space, "svg");
  const put = (name, properties, text) => {
    const made = document.createElementNS(space, name);
    Object.entries(properties).forEach(([key, value]) => made.setAttribute(key, value));
    if (text !== undefined) made.textContent = text;
    svg.append(made);
    return made;
  };
  const growing = bins[0][0] > 0 && bins.every(([from, to]) => Math.abs(Math.log(to / from) / Math.log(bins[0][1] / bins[0][0]) - 1) < .05);
  const total = bins.reduce((sum, [, , count]) => sum + count, 0), most = Math.max(...bins.map(([, , count]) => count));
  const low = bins[0][0], high = bins[bins.length - 1][1], wide = width / bins.length;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `histogram of ${total} active values from ${decimal(low)} to ${decimal(high)}, counts on a logarithmic scale${growing ? ", values too" : ""}`);
  bins.forEach(([from, to, count], nth) => {
    const tall = count && (height - foot - 12) * Math.log1p(count) / Math.log1p(most);
    const bar = put("rect", {x: nth * wide, width: Math.max(wide - 1, .5), y: height - foot - tall, height: tall});
    const title = document.createElementNS(space, "title");
    title.textContent = `${decimal(from)} to ${decimal(to)}: ${count} tokens`;
    bar.append(title);
  });
  put("line", {x1: 0, x2: width, y1: height - foot, y2: height - foot});
  const middle = Math.round(bins.length / 2);
  put("text", {x: 0, y: height - 17}, decimal(low));
  if (bins.length > 3) put("text", {x: middle * wide, y: height - 17, "text-anchor": "middle"}, decimal(bins[middle][0]));
  put("text", {x: width, y: height - 17, "text-anchor": "end"}, decimal(high));
  const axis = growing ? `value, logarithmic axis: each bin reaches ${decimal(+(100 * (bins[0][1] / bins[0][0] - 1)).toPrecision(2))}% higher` : "value, bins side by side";
  put("text", {x: width / 2, y: height - 3, "text-anchor": "middle", class: "axis"}, axis);
  put("text", {x: width, y: 10, "text-anchor": "end"}, `highest bar: ${most} tokens (log scale)`);
  return svg;
}
