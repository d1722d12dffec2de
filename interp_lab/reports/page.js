"use strict";
const data = (holder) => JSON.parse(holder.querySelector("script[type='application/json']").textContent);
const shared = document.getElementById("templates");
const templates = shared ? JSON.parse(shared.textContent) : {};

// Plotly's text is HTML with a few tags; parsed so, nothing in it runs or loads.
const plain = (text) => new DOMParser().parseFromString(text, "text/html").body.textContent;

// A menu of plotly is drawn for the mouse only: the keyboard gets a list in its place.
function addMenus(holder, figure) {
  for (const menu of figure.layout.updatemenus || []) {
    const label = document.createElement("label"), list = document.createElement("select");
    label.append(`${menu.name || "show"} `, list);
    menu.buttons.forEach((button) => list.add(new Option(plain(button.label))));
    list.addEventListener("change", () => Plotly.restyle(holder, ...menu.buttons[list.selectedIndex].args));
    holder.closest(".scroll").before(label);
  }
  delete figure.layout.updatemenus;
}

// So is a slider of plotly; its place in the figure goes with it.
function addSliders(holder, figure) {
  const {margin, sliders = []} = figure.layout;
  for (const slider of sliders) {
    const label = document.createElement("label"), range = document.createElement("input"), shown = document.createElement("output");
    Object.assign(range, {type: "range", min: 0, max: slider.steps.length - 1, value: slider.active || 0});
    const tell = () => { shown.value = range.ariaValueText = plain(slider.steps[range.value].label); };
    range.addEventListener("input", () => { tell(); Plotly.restyle(holder, ...slider.steps[range.value].args); });
    tell();
    label.append(`${slider.name || "show"} `, range, " ", shown);
    holder.closest(".scroll").before(label);
    figure.layout.height -= margin.b - 12;
    margin.b = 12;
    holder.style.height = `${figure.layout.height}px`;
  }
  delete figure.layout.sliders;
}

function drawPlot(holder) {
  const figure = data(holder);
  figure.layout.template = templates[figure.layout.template];
  addMenus(holder, figure);
  addSliders(holder, figure);
  return Plotly.newPlot(holder, figure.data, figure.layout, {displaylogo: false, responsive: false, showSendToCloud: false, showEditInChartStudio: false});
}

// CircuitsVis listens to the mouse only: its small maps become buttons.
function addKeys(holder) {
  const maps = [...holder.querySelectorAll("canvas")].slice(0, -1);
  maps.forEach((canvas, nth) => {
    const button = canvas.closest("[class*='matrix'], div");
    if (button.hasAttribute("tabindex")) return;
    button.tabIndex = 0;
    button.setAttribute("role", "button");
    button.setAttribute("aria-label", `head ${holder.names[nth] || nth}`);
    button.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      canvas.dispatchEvent(new MouseEvent("click", {bubbles: true}));
    });
  });
}

function drawHeads(holder) {
  const properties = data(holder);
  holder.names = properties.attentionHeadNames;
  new MutationObserver(() => addKeys(holder)).observe(holder, {childList: true, subtree: true});
  CircuitsVis.render(holder.id, CircuitsVis.AttentionHeads, properties);
}

const waiting = new Set(document.querySelectorAll(".plot, .heads"));
function draw(holder) {
  if (!waiting.delete(holder)) return;
  watcher.unobserve(holder);
  holder.classList.contains("heads") ? drawHeads(holder) : drawPlot(holder);
  holder.dataset.drawn = "yes";
}
const watcher = new IntersectionObserver((seen) => seen.filter((one) => one.isIntersecting).forEach((one) => draw(one.target)), {rootMargin: "800px"});
waiting.forEach((holder) => watcher.observe(holder));

let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details.print:not([open])")];
  opened.forEach((one) => { one.open = true; });
  [...waiting].filter((one) => !one.closest("details:not([open])")).forEach(draw);
});
addEventListener("afterprint", () => opened.forEach((one) => { one.open = false; }));
