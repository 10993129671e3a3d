// Still pictures with data beside them give way to figures that can be worked by mouse, touch and keyboard.
(() => {
  const SVG = new Set(["svg", "g", "path", "line", "rect", "text"]);

  function add(parent, tag, attributes = {}, text = "") {
    const space = SVG.has(tag) ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml";
    const node = document.createElementNS(space, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(text);
    return parent.appendChild(node);
  }

  // A line a run: `axes` hold the height of every run from 0 to 1, `runs` their names, accuracies and shades.
  function parallel(box, { axes, runs }, alt) {
    const TOP = 64, HEIGHT = 300, LEFT = 68, RIGHT = 40, NARROWEST = 72;
    const order = axes.map((_, axis) => axis);
    const ranges = new Map(); // axis -> [low, high], the part that runs must pass
    let step = NARROWEST, chosen = -1;

    add(box, "p", { class: "hint" }, "Drag along an axis to keep the runs that pass there, drag a name to move its axis; "
      + "point at a line for its run. By keyboard, on a name: ← and → move the axis, ↑ and ↓ go through its parts, "
      + "Escape clears it.");
    const stage = add(box, "div", { class: "stage" });
    const svg = add(stage, "svg", { role: "img", "aria-label": alt, height: TOP + HEIGHT + 12 });
    const lines = runs.map(({ shade }, run) => {
      const path = add(svg, "path", { class: "run", style: `--shade: ${100 * shade}%` });
      path.addEventListener("pointermove", (event) => { choose(run); point(event); });
      path.addEventListener("pointerleave", () => { tip.hidden = true; });
      return path;
    });
    const drawn = axes.map(({ ticks }, axis) => {
      const group = add(svg, "g", { class: "axis" });
      add(group, "line", { y1: TOP, y2: TOP + HEIGHT });
      for (const [label, place] of ticks) add(group, "text", { x: -8, y: TOP + (1 - place) * HEIGHT + 4 }, label);
      const brush = add(group, "rect", { class: "brush", x: -9, width: 18 });
      const area = add(group, "rect", { class: "area", x: -14, width: 28, y: TOP - 8, height: HEIGHT + 16 });
      area.addEventListener("pointerdown", (event) => drag(event, axis));
      return { group, brush };
    });
    const names = axes.map(({ name }, axis) => {
      const button = add(stage, "button", { type: "button" }, name.replaceAll("_", "_\u200b"));
      button.addEventListener("pointerdown", (event) => carry(event, axis, button));
      button.addEventListener("keydown", (event) => press(event, axis, button));
      return button;
    });
    const tip = add(stage, "div", { class: "tip" });
    tip.hidden = true;
    const label = add(box, "label", {}, "Run, best first: ");
    const list = add(label, "select");
    list.addEventListener("change", () => choose(Number(list.value)));
    const said = add(box, "p", { class: "said", role: "status" });

    const passes = (run) => [...ranges].every(([axis, [low, high]]) => {
      const place = axes[axis].heights[run];
      return place !== null && low <= place && place <= high;
    });

    function choose(run) {
      if (chosen >= 0) lines[chosen].classList.remove("chosen");
      chosen = run;
      list.value = run;
      if (run < 0) return;
      lines[run].classList.add("chosen");
      svg.insertBefore(lines[run], drawn[0].group); // above all other lines
      tell();
    }

    function tell() {
      const kept = runs.filter((_, run) => passes(run));
      const best = kept.length ? `, the best with ${kept.at(-1).value}` : "";
      const settings = (run) => axes.slice(0, -1).map(({ name, texts }) => `${name} ${texts[run]}`).join(", ");
      said.textContent = `${kept.length} of ${runs.length} runs kept${best}. `
        + (chosen < 0 ? "" : `${runs[chosen].name}: ${runs[chosen].value}; ${settings(chosen)}.`);
    }

    function point(event) {
      const frame = stage.getBoundingClientRect();
      const left = event.clientX - frame.left + stage.scrollLeft;
      tip.textContent = `${runs[chosen].value} · ${runs[chosen].name}`;
      tip.hidden = false;
      tip.style.left = `${Math.max(0, Math.min(left + 12, stage.scrollLeft + frame.width - tip.offsetWidth))}px`;
      tip.style.top = `${event.clientY - frame.top + 14}px`;
    }

    function keep(axis, range) {
      if (range) ranges.set(axis, range); else ranges.delete(axis);
      const { brush } = drawn[axis];
      brush.setAttribute("y", TOP + (1 - (range?.[1] ?? 0)) * HEIGHT);
      brush.setAttribute("height", range ? (range[1] - range[0]) * HEIGHT : 0);
      list.replaceChildren();
      add(list, "option", { value: -1 }, "none");
      for (let run = runs.length - 1; run >= 0; run -= 1) {
        lines[run].classList.toggle("off", !passes(run));
        if (passes(run)) add(list, "option", { value: run }, `${runs[run].value} · ${runs[run].name}`);
      }
      if (chosen >= 0 && !passes(chosen)) choose(-1);
      list.value = chosen;
      tell();
    }

    function drag(event, axis) {
      const place = ({ clientY }) => {
        const height = 1 - (clientY - svg.getBoundingClientRect().top - TOP) / HEIGHT;
        return Math.max(0, Math.min(1, height));
      };
      const area = event.target, start = place(event);
      event.preventDefault();
      area.setPointerCapture(event.pointerId);
      keep(axis, null); // a mere click clears
      area.onpointermove = (moved) => {
        const end = place(moved);
        if (Math.abs(end - start) > 0.01) keep(axis, [Math.min(start, end), Math.max(start, end)]);
      };
      area.onpointerup = area.onpointercancel = () => { area.onpointermove = null; };
    }

    function carry(event, axis, button) {
      button.setPointerCapture(event.pointerId);
      button.onpointermove = ({ clientX }) => {
        const slot = Math.round((clientX - svg.getBoundingClientRect().left - LEFT) / step);
        move(axis, Math.max(0, Math.min(axes.length - 1, slot)));
      };
      button.onpointerup = button.onpointercancel = () => { button.onpointermove = null; };
    }

    function move(axis, slot) {
      if (order[slot] === axis) return;
      order.splice(order.indexOf(axis), 1);
      order.splice(slot, 0, axis);
      draw();
    }

    function press(event, axis, button) {
      const slot = order.indexOf(axis), { parts } = axes[axis], range = ranges.get(axis);
      const part = parts.findIndex(([low, high]) => range?.[0] === low && range?.[1] === high);
      const up = event.key === "ArrowUp", near = part < 0 ? (up ? 0 : parts.length - 1) : part + (up ? 1 : -1);
      if (event.key === "ArrowLeft") move(axis, Math.max(0, slot - 1));
      else if (event.key === "ArrowRight") move(axis, Math.min(axes.length - 1, slot + 1));
      else if (up || event.key === "ArrowDown") keep(axis, parts[near]?.slice(0, 2));
      else if (event.key === "Escape") keep(axis, null);
      else return;
      event.preventDefault();
      event.stopPropagation(); // JupyterLab has uses for these keys too
      button.focus();
    }

    function draw() {
      const width = Math.max(stage.clientWidth, NARROWEST * axes.length);
      step = (width - LEFT - RIGHT) / (axes.length - 1);
      svg.setAttribute("width", width);
      order.forEach((axis, slot) => {
        const x = LEFT + slot * step;
        drawn[axis].group.setAttribute("transform", `translate(${x} 0)`);
        names[axis].style.left = `${x}px`;
        names[axis].setAttribute("aria-label", `${axes[axis].name}, axis ${slot + 1} of ${axes.length}`);
      });
      lines.forEach((path, run) => {
        const passed = order.map((axis, slot) => [LEFT + slot * step, axes[axis].heights[run]]);
        const points = passed.filter(([, place]) => place !== null);
        path.setAttribute("d", "M" + points.map(([x, place]) => `${x} ${TOP + (1 - place) * HEIGHT}`).join("L"));
      });
    }

    axes.forEach((_, axis) => keep(axis, null));
    new ResizeObserver(draw).observe(stage);
    draw();
  }

  // True class by predicted class; a cell of mistakes is a button that opens their pictures, cut out of the atlas.
  function confusion(box, { names, counts, cells, atlas, side }, alt) {
    const picture = new Image();
    picture.src = atlas;
    add(box, "p", { class: "hint" }, "A row is a true class, a column what the network said. Choose a count to see the "
      + "mistakes behind it; the arrow keys go from one to the next.");
    const table = add(add(box, "div", { class: "stage" }), "table", { class: "confusion" });
    add(table, "caption", {}, alt);
    const head = add(add(table, "thead"), "tr");
    add(head, "td");
    for (const name of names) add(add(head, "th", { scope: "col" }), "span", {}, name);
    const body = add(table, "tbody");
    const panel = add(box, "div", { class: "mistakes", role: "region", "aria-live": "polite", "aria-label": "Mistakes" });
    const worst = Math.max(...cells.map(({ row, column }) => counts[row][column]));
    const buttons = names.map(() => []);

    counts.forEach((line, row) => {
      const tr = add(body, "tr"), total = line.reduce((sum, count) => sum + count, 0) || 1;
      add(tr, "th", { scope: "row" }, names[row]);
      line.forEach((count, column) => {
        const cell = cells.find((one) => one.row === row && one.column === column);
        if (!cell) {
          add(tr, "td", { class: row === column ? "right" : "" }, count || "");
          return;
        }
        const label = `${names[row]} taken for ${names[column]}: ${count} of ${total}`;
        const style = `--shade: ${Math.round(45 * Math.sqrt(count / worst))}%`;
        const button = add(add(tr, "td"), "button", { type: "button", "aria-label": label, style, tabindex: -1 }, count);
        button.addEventListener("click", () => open(button, cell, label));
        button.addEventListener("keydown", (event) => go(event, row, column));
        buttons[row][column] = button;
      });
    });
    const all = buttons.flat().filter(Boolean);
    if (all.length) all[0].tabIndex = 0; // one stop for the Tab key; arrows do the rest

    function open(button, { first, texts }, label) {
      for (const other of all) {
        other.tabIndex = other === button ? 0 : -1;
        other.setAttribute("aria-pressed", other === button);
      }
      panel.replaceChildren();
      add(panel, "p", {}, `${label}. The first of them:`);
      const list = add(panel, "ul");
      texts.forEach((text, k) => {
        const item = add(list, "li"), across = picture.naturalWidth / side, place = first + k;
        const canvas = add(item, "canvas", { role: "img", "aria-label": label.split(":")[0], width: side, height: side });
        const x = (place % across) * side, y = Math.floor(place / across) * side;
        canvas.getContext("2d").drawImage(picture, x, y, side, side, 0, 0, side, side);
        add(item, "span", {}, text);
      });
    }

    function go(event, row, column) {
      const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [0, 0];
      if (!down && !right) return;
      event.preventDefault();
      event.stopPropagation();
      do { row += down; column += right; } while (row in buttons && column in names && !buttons[row][column]);
      buttons[row]?.[column]?.focus();
    }
  }

  const KINDS = { parallel, confusion };
  for (const figure of document.querySelectorAll("figure.interactive:not(.live)")) {
    const data = JSON.parse(figure.querySelector("script").textContent);
    figure.classList.add("live");
    KINDS[figure.dataset.kind](add(figure, "div", { class: "working" }), data, figure.querySelector("img").alt);
  }
})();
