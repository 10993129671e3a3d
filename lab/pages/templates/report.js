// The pages read well without this script; it adds the switch for all code and keeps the contents in step.
const folds = document.querySelectorAll("details.code");
const button = document.querySelector(".switch");
if (button && folds.length) {
  const allOpen = () => [...folds].every((fold) => fold.open);
  const label = () => { button.textContent = allOpen() ? "Hide all code" : "Show all code"; };
  button.hidden = false;
  label();
  button.addEventListener("click", () => {
    const open = !allOpen();
    for (const fold of folds) fold.open = open;
  });
  for (const fold of folds) fold.addEventListener("toggle", label);
}

const contents = document.querySelector(".contents details");
if (contents) {
  const wide = matchMedia("(min-width: 75rem)");
  const adapt = () => { contents.open = wide.matches; };
  wide.addEventListener("change", adapt);
  adapt();

  const links = [...contents.querySelectorAll("a")];
  const headings = links.map((link) => document.getElementById(decodeURIComponent(link.hash.slice(1))));
  const follow = () => {
    const passed = headings.filter((heading) => heading.getBoundingClientRect().top < innerHeight / 3).length;
    links.forEach((link, i) => link.setAttribute("aria-current", i === passed - 1 ? "location" : "false"));
  };
  addEventListener("scroll", follow, { passive: true });
  follow();
}

// A heading of a table sorts it, and a button hands it over as a file
const number = (text) => Number.parseFloat(text.replace(/[\u202f\u00a0 ,%]/g, "").replace("\u2212", "-"));
const compare = (a, b) => {
  const [x, y] = [number(a), number(b)];
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || a.localeCompare(b);
  return x - y;
};
const quoted = (text) => `"${(/^[=+@\t]/.test(text) ? "'" : "") + text.replaceAll('"', '""')}"`; // never a formula
const textOf = (cell) => cell.textContent.trim();
const typed = (text) => text.replace(/[\u202f\u00a0]/g, " ").replaceAll("\u2212", "-"); // as other programs read it

function sortable(table) {
  const head = [...table.tHead.rows].at(-1), body = table.tBodies[0];
  [...head.cells].forEach((cell, column) => {
    if (cell.localName !== "th") return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...cell.childNodes);
    cell.append(button);
    cell.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const down = cell.getAttribute("aria-sort") === "ascending";
      for (const other of head.cells) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
      cell.setAttribute("aria-sort", down ? "descending" : "ascending");
      const order = (a, b) => (down ? -1 : 1) * compare(textOf(a.cells[column]), textOf(b.cells[column]));
      body.append(...[...body.rows].sort(order));
    });
  });
}

function downloadable(table) {
  const button = document.createElement("button");
  button.className = "csv";
  button.type = "button";
  const section = [...document.querySelectorAll("main h2, main h3")].filter(
    (heading) => heading.compareDocumentPosition(table) & Node.DOCUMENT_POSITION_FOLLOWING).at(-1);
  const name = section?.id || "table";
  button.textContent = "Download as CSV";
  button.setAttribute("aria-label", `Download as CSV: ${name.replaceAll("-", " ")}`);
  button.addEventListener("click", () => {
    const spread = (cell) => Array(cell.colSpan).fill(quoted(typed(textOf(cell))));
    const lines = [...table.rows].map((row) => [...row.cells].flatMap(spread).join(","));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`\ufeff${lines.join("\r\n")}\r\n`], { type: "text/csv" }));
    link.download = `${name}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  });
  (table.closest(".scroll") ?? table).after(button);
}

for (const table of document.querySelectorAll("main .output table")) {
  if (!table.tHead || table.tBodies[0]?.rows.length < 3) continue;
  downloadable(table);
  if (!table.querySelector("[rowspan], tbody [colspan], thead tr:last-child [colspan]")) sortable(table);
}

// What the mouse can scroll, the keyboard must too; an edge that hides something fades
const fade = (box) => box.classList.toggle("more", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
const observer = new ResizeObserver((entries) => {
  for (const { target: box } of entries) {
    if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
    fade(box);
  }
});
for (const box of document.querySelectorAll(".scroll, .highlight pre, .stage")) {
  observer.observe(box);
  box.addEventListener("scroll", () => fade(box), { passive: true });
}

// On a telephone a figure is shown whole; a button shows it as large as it was drawn, to be scrolled
for (const figure of document.querySelectorAll("main figure")) {
  const image = figure.querySelector("img[width]");
  if (!image || figure.querySelector("source")) continue; // or it was laid out for telephones
  const button = document.createElement("button");
  button.className = "enlarge";
  button.type = "button";
  const label = () => { button.textContent = figure.classList.contains("large") ? "Smaller" : "Larger"; };
  button.addEventListener("click", () => { figure.classList.toggle("large"); label(); });
  button.setAttribute("aria-describedby", image.id ||= `figure-${document.querySelectorAll("img[id]").length}`);
  label();
  figure.after(button);
}
