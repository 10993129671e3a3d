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

// What the mouse can scroll, the keyboard must too; an edge that hides something fades
const fade = (box) => box.classList.toggle("more", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
const observer = new ResizeObserver((entries) => {
  for (const { target: box } of entries) {
    if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
    fade(box);
  }
});
for (const box of document.querySelectorAll(".scroll, .highlight pre")) {
  observer.observe(box);
  box.addEventListener("scroll", () => fade(box), { passive: true });
}
