// Still pictures with data beside them give way to figures that can be worked by mouse, touch and keyboard.
(() => {
  const SVG = new Set(["svg", "g", "path", "line", "rect", "text", "circle"]);

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
    if (box.clientWidth < NARROWEST * axes.length) order.unshift(order.pop()); // where not all fit, how good a run is comes first

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

    // What is chosen on an axis, in words: a part of it by its name
    function chosenOn(axis) {
      const range = ranges.get(axis);
      if (!range) return "";
      const part = axes[axis].parts.find(([low, high]) => range[0] === low && range[1] === high);
      return part ? part[2] : `its part from ${Math.round(100 * range[0])} to ${Math.round(100 * range[1])} per cent of the height`;
    }

    function tell() {
      const kept = runs.filter((_, run) => passes(run));
      const best = kept.length ? `, the best with ${kept.at(-1).value}` : "";
      const settings = (run) => axes.slice(0, -1).map(({ name, texts }) => `${name} ${texts[run]}`).join(", ");
      const only = [...ranges.keys()].map((axis) => `${axes[axis].name} ${chosenOn(axis)}`).join(", ");
      said.textContent = `${kept.length} of ${runs.length} runs kept${best}. ${only && `Chosen: ${only}. `}`
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

    function name(axis) {
      const place = `axis ${order.indexOf(axis) + 1} of ${axes.length}`;
      names[axis].setAttribute("aria-label", `${axes[axis].name}, ${place}: ${chosenOn(axis) || "all values"}`);
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
      name(axis);
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
        name(axis);
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

  // Curves and points over one x; a slider, its arrow keys and the pointer read them, and each can be switched off.
  function curves(box, { x, panels, series, about }, alt) {
    const LEFT = 52, RIGHT = 10, TOP = 10, BOTTOM = 34, HEIGHT = 240, MANY = 10;
    const on = series.map((one) => one.on), xs = x.values, whole = [Math.min(...xs), Math.max(...xs)];
    const counted = xs.every(Number.isInteger) ? 1 : 0; // there is no half of an epoch
    let range = whole, at = -1;

    const told = "Point at a curve for its values, or move the slider below it; drag across a figure to look closer. A name "
      + "switches its curve off and on.";
    if (!document.querySelector(".hint.curves")) add(box, "p", { class: "hint curves" }, told); // once a page is enough
    const keys = add(box, "div", { class: "keys", role: "group", "aria-label": "Curves" });
    const stage = add(box, "div", { class: "panels" });
    const drawn = panels.map((panel) => {
      const frame = add(stage, "div", { class: "stage panel" });
      add(frame, "p", { class: "name" }, panel.name);
      const svg = add(frame, "svg", { role: "img", "aria-label": `${panel.name}. ${alt}`, height: HEIGHT });
      const tip = add(frame, "div", { class: "tip" });
      tip.hidden = true;
      return { panel, frame, svg, tip };
    });
    const controls = add(box, "div", { class: "controls" });
    const label = add(controls, "label", {}, `${x.name} `);
    const slider = add(label, "input", { type: "range", min: 0, max: xs.length - 1, step: 1, value: 0 });
    const closer = add(controls, "button", { type: "button", "aria-label": "Closer, around the value chosen" }, "Closer");
    const all = add(controls, "button", { type: "button", "aria-label": "All: the whole range again" }, "All");
    const said = add(box, "p", { class: "said" });
    const rows = about ? add(add(box, "div", { class: "stage" }), "table", { class: "about" }) : null;

    const log = (scale, value) => (scale ? Math.log10(value) : value);
    const round = (value) => (value === null ? "none" : Number(value.toPrecision(4)).toString().replace("-", "\u2212"));
    const value = (panel, one) => panel.values[one][at];
    const seen = () => series.map((_, one) => one).filter((one) => on[one]);
    const within = (k) => range[0] <= xs[k] && xs[k] <= range[1];

    function ticks([low, high], scale, most, least = 0) {
      if (scale) {
        const held = (place) => low - 1e-9 <= place && place <= high + 1e-9, decades = [];
        for (let k = Math.floor(low); k <= high + 1e-9; k += 1) decades.push(k);
        const fine = decades.flatMap((k) => [1, 2, 5].map((part) => [k + Math.log10(part), round(part * 10 ** k)]));
        if (fine.filter(([place]) => held(place)).length <= most + 2) return fine.filter(([place]) => held(place));
        const all = decades.filter(held), step = Math.ceil(all.length / most) || 1;
        return all.filter((_, k) => k % step === 0).map((k) => [k, Math.abs(k) < 3 ? round(10 ** k) : `1e${k}`.replace("-", "\u2212")]);
      }
      const rough = (high - low) / most || 1, unit = 10 ** Math.floor(Math.log10(rough));
      const step = Math.max(unit * [1, 2, 5, 10].find((times) => times * unit >= rough), least);
      const found = [];
      for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k += 1) found.push(k * step);
      return found.map((place) => [place, round(place)]);
    }

    function draw() {
      for (const one of drawn) {
        const { panel, svg, frame } = one, width = frame.clientWidth;
        const shown = seen().map((k) => panel.values[k].map((v, i) => (v === null || !within(i) ? null : log(panel.log, v))));
        const finite = shown.flat().filter((v) => v !== null && Number.isFinite(v));
        const low = Math.min(...finite), high = Math.max(...finite), room = 0.06 * (high - low) || 1;
        const [bottom, top] = finite.length ? [low - room, high + room] : [0, 1];
        const [first, last] = range.map((v) => log(x.log, v)), wide = (last - first) || 1;
        one.toX = (k) => LEFT + (log(x.log, xs[k]) - first) / wide * (width - LEFT - RIGHT);
        one.toY = (v) => TOP + (top - v) / (top - bottom) * (HEIGHT - TOP - BOTTOM);
        svg.setAttribute("width", width);
        svg.replaceChildren();
        const axes = add(svg, "g", { class: "grid" });
        for (const [place, text] of ticks([bottom, top], panel.log, 5)) {
          add(axes, "line", { x1: LEFT, x2: width - RIGHT, y1: one.toY(place), y2: one.toY(place) });
          add(axes, "text", { x: LEFT - 6, y: one.toY(place) + 4, "text-anchor": "end" }, text);
        }
        for (const [place, text] of ticks([first, last], x.log, Math.max(2, Math.min(8, width / 70)), counted)) {
          const left = LEFT + (place - first) / wide * (width - LEFT - RIGHT);
          add(axes, "text", { x: left, y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, text);
        }
        add(axes, "text", { x: (LEFT + width - RIGHT) / 2, y: HEIGHT - 3, "text-anchor": "middle" }, x.name);
        seen().forEach((k, n) => {
          const places = shown[n].map((v, i) => (v === null ? null : [one.toX(i), one.toY(v)])).filter(Boolean);
          const { look } = series[k], steps = places.map(([left, high], i) => (i ? `H${left}V${high}` : `${left} ${high}`)).join("");
          const d = places.length ? "M" + (look === "steps" ? steps : places.map((p) => p.join(" ")).join("L")) : "";
          if (look !== "points") add(svg, "path", { class: `curve look-${k % MANY}`, d });
          if (look === "points" || places.length < 2) {
            for (const [cx, cy] of places) add(svg, "circle", { class: `dot look-${k % MANY}`, cx, cy, r: 4 });
          }
        });
        one.marks = add(svg, "g", { class: "marks" });
        one.brush = add(svg, "rect", { class: "brush", y: TOP });
      }
      mark();
    }

    function mark() {
      for (const { panel, marks, toX, toY } of drawn) {
        marks.replaceChildren();
        if (at < 0 || !within(at)) continue;
        add(marks, "line", { x1: toX(at), x2: toX(at), y1: TOP, y2: HEIGHT - BOTTOM });
        for (const k of seen()) {
          if (value(panel, k) !== null) add(marks, "circle", { class: `look-${k % MANY}`, cx: toX(at), cy: toY(log(panel.log, value(panel, k))), r: 5 });
        }
      }
    }

    function read(k) {
      at = k;
      slider.value = k;
      const of = ({ name, values }) => `${name}: ` + (seen().filter((one) => values[one][k] !== null)
        .map((one) => `${round(values[one][k])} for ${series[one].name}`).join("; ") || "none");
      said.textContent = `${x.name} ${round(xs[k])}${x.texts ? ` (${x.texts[k]})` : ""}. ${panels.map(of).join(". ")}.`;
      slider.setAttribute("aria-valuetext", said.textContent);
      mark();
    }

    function toggle(one, state) {
      on[one] = state;
      list();
      draw();
      if (at >= 0) read(at);
    }

    function list() {
      const many = series.length > MANY, focused = keys.contains(document.activeElement) && document.activeElement.dataset.one;
      keys.replaceChildren();
      series.forEach(({ name }, one) => {
        if (many && !on[one]) return;
        const key = add(keys, "button", { type: "button", "aria-pressed": on[one], "data-one": one });
        const line = add(key, "svg", { width: 28, height: 10, "aria-hidden": true });
        add(line, "path", { class: `curve look-${one % MANY}`, d: "M1 5L27 5" });
        add(key, "span", {}, name);
        key.addEventListener("click", () => toggle(one, !on[one]));
        if (focused === String(one)) key.focus();
      });
      if (many) {
        const more = add(add(keys, "label", {}, "Add: "), "select");
        add(more, "option", { value: "" }, "choose");
        series.forEach(({ name }, one) => { if (!on[one]) add(more, "option", { value: one }, name); });
        more.addEventListener("change", () => { if (more.value) toggle(Number(more.value), true); });
        if (focused && !keys.contains(document.activeElement)) more.focus();
      }
      if (rows) describe();
    }

    function describe() { // what the curves that are shown do not differ in goes into the caption
      const shown = seen(), differs = (c) => new Set(shown.map((one) => about.rows[one][c])).size > 1;
      const all = about.columns.map((_, c) => c), order = shown.length > 1 ? all.filter(differs) : all;
      const same = all.filter((c) => !order.includes(c)).map((c) => `${about.columns[c]} ${about.rows[shown[0]]?.[c]}`);
      rows.replaceChildren();
      add(rows, "caption", {}, "What the chosen ones differ in" + (same.length && shown.length ? `; in all of them: ${same.join(", ")}` : ""));
      const head = add(add(rows, "thead"), "tr");
      for (const text of [about.name, ...order.map((c) => about.columns[c])]) add(head, "th", { scope: "col" }, text.replaceAll("_", "_\u200b"));
      const body = add(rows, "tbody");
      for (const one of shown) {
        const tr = add(body, "tr");
        const cell = add(tr, "th", { scope: "row" });
        const page = document.body.classList.contains("page"); // JupyterLab has no pages to lead to
        if (page && series[one].link) add(cell, "a", { href: series[one].link }, series[one].name); else cell.append(series[one].name);
        for (const c of order) add(tr, "td", {}, about.rows[one][c]);
      }
    }

    const nearest = (one, left) => xs.reduce((best, _, k) => (within(k) && Math.abs(one.toX(k) - left) < Math.abs(one.toX(best) - left) ? k : best), xs.findIndex((_, k) => within(k)));

    for (const one of drawn) {
      const { panel, svg, tip, frame } = one;
      let from = null;
      const left = (event) => event.clientX - svg.getBoundingClientRect().left;
      svg.addEventListener("pointerdown", (event) => { from = left(event); svg.setPointerCapture(event.pointerId); });
      svg.addEventListener("pointermove", (event) => {
        const here = left(event);
        read(nearest(one, here));
        if (from !== null && Math.abs(here - from) > 8) {
          one.brush.setAttribute("x", Math.min(from, here));
          one.brush.setAttribute("width", Math.abs(here - from));
          one.brush.setAttribute("height", HEIGHT - TOP - BOTTOM);
        }
        const high = event.clientY - svg.getBoundingClientRect().top;
        const held = seen().filter((k) => value(panel, k) !== null);
        const far = (k) => Math.abs(one.toY(log(panel.log, value(panel, k))) - high);
        const best = held.sort((a, b) => far(a) - far(b))[0];
        tip.hidden = best === undefined;
        if (tip.hidden) return;
        tip.textContent = `${series[best].name}: ${round(value(panel, best))} (${x.name} ${round(xs[at])}${x.texts ? `, ${x.texts[at]}` : ""})`;
        tip.style.left = `${Math.max(0, Math.min(here + 12, frame.clientWidth - tip.offsetWidth))}px`;
        tip.style.top = `${event.clientY - frame.getBoundingClientRect().top + 14}px`;
      });
      svg.addEventListener("pointerleave", () => { tip.hidden = true; });
      svg.addEventListener("pointercancel", () => { from = null; });
      svg.addEventListener("pointerup", (event) => {
        const ends = from === null ? [] : [from, left(event)].sort((a, b) => a - b).map((place) => xs[nearest(one, place)]);
        if (from !== null && Math.abs(left(event) - from) > 8 && ends[0] < ends[1]) range = ends;
        from = null;
        draw();
      });
      svg.addEventListener("dblclick", () => { range = whole; draw(); });
    }
    slider.addEventListener("input", () => read(Number(slider.value)));
    slider.addEventListener("keydown", (event) => event.stopPropagation()); // JupyterLab has uses for these keys too
    closer.addEventListener("click", () => {
      const kept = xs.filter((_, k) => within(k)), middle = Math.max(0, kept.indexOf(xs[at]));
      const half = Math.max(1, Math.floor(kept.length / 4)), start = Math.max(0, Math.min(middle - half, kept.length - 1 - 2 * half));
      range = [kept[start], kept[Math.min(kept.length - 1, start + 2 * half)]];
      draw();
    });
    all.addEventListener("click", () => { range = whole; draw(); });
    list();
    draw();
    read(Math.max(0, xs.findLastIndex((_, k) => panels.some(({ values }) => seen().some((one) => values[one][k] !== null)))));
    new ResizeObserver(draw).observe(stage);
  }

  const KINDS = { parallel, confusion, curves };
  for (const figure of document.querySelectorAll("figure.interactive:not(.live)")) {
    const data = JSON.parse(figure.querySelector("script").textContent);
    figure.classList.add("live");
    KINDS[figure.dataset.kind](add(figure, "div", { class: "working" }), data, figure.querySelector("img").alt);
  }
})();
