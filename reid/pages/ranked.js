"use strict";
const { lists, pictures } = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const filters = at("filters");
let shown = [];
let place = 0;

function element(tag, name, ...children) {
  const made = document.createElement(tag);
  made.className = name;
  made.append(...children);
  return made;
}

function cell(number, words) {
  if (pictures[number] === null) return element("div", "cell", "no image");
  const image = element("img", "");
  image.src = pictures[number];
  image.alt = words;
  return element("div", "cell", image);
}

const firstRight = (list) => list.found.length > 0 && list.found[0].match;
const tick = (right) => element("span", right ? "right tick" : "wrong tick", right ? "✓" : "✗");

function passes(list) {
  const { result, group, low, high, identity } = filters.elements;
  const text = identity.value.trim().toLowerCase();
  return (
    (result.value !== "wrong" || !firstRight(list)) &&
    (result.value !== "right" || firstRight(list)) &&
    (result.value !== "none" || !list.found.some((each) => each.match)) &&
    (group.value === "" || list.group === group.value) &&
    list.ap >= Number(low.value) && list.ap <= (high.value === "" ? 100 : Number(high.value)) + 1e-9 &&
    (text === "" || list.title.toLowerCase().split(" ").some((word) => word.startsWith(text)))
  );
}

function filter() {
  shown = lists.filter(passes);
  at("strip").replaceChildren(...shown.map((list, k) => {
    const words = `${list.title}, AP ${list.ap.toFixed(1)} %`;
    const button = element("button", "", cell(list.query, words), tick(firstRight(list)), ` ${list.ap.toFixed(0)}`);
    button.type = "button";
    button.title = words;
    button.onclick = () => show(k);
    return button;
  }));
  show(0);
}

function show(k) {
  if (shown.length === 0) {
    at("position").textContent = "no query passes the filter";
    at("name").textContent = at("about").textContent = "";
    at("list").replaceChildren();
    return;
  }
  at("strip").children[place]?.removeAttribute("aria-current");
  place = (k + shown.length) % shown.length;
  const list = shown[place];
  const chosen = at("strip").children[place];
  chosen.setAttribute("aria-current", "true");
  at("strip").scrollTop = chosen.offsetTop - at("strip").offsetTop - 70; // not scrollIntoView: the page stays put
  at("position").textContent = `${place + 1} of ${shown.length}`;
  at("name").textContent = list.title;
  at("about").textContent = `AP ${list.ap.toFixed(1)} %, ${list.group}`;
  const caption = (...parts) => element("figcaption", "", parts.filter(Boolean).join(" "));
  const query = element("figure", "", cell(list.query, `query, ${list.title}`), caption("query", list.camera));
  at("list").replaceChildren(query, ...list.found.map(({ picture, match, camera }, rank) => element(
    "figure", match ? "right" : "wrong",
    cell(picture, `rank ${rank + 1}, ${match ? "same identity" : "another identity"}`),
    caption(rank + 1, match ? "✓" : "✗", camera),
  )));
}

filters.oninput = filter;
filters.onsubmit = (event) => event.preventDefault();
filters.onreset = () => setTimeout(filter); // after the fields are reset
at("previous").onclick = () => show(place - 1);
at("next").onclick = () => show(place + 1);
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select")) return;
  if (event.key === "ArrowLeft") show(place - 1);
  if (event.key === "ArrowRight") show(place + 1);
});
filter();
