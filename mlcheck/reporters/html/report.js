/* The page's own script: filters, charts when they come into view, theme, printing. Texts of runs are set as text, never as HTML. */
(function () {
  "use strict";

  const data = JSON.parse(document.getElementById("mlcheck-data").textContent);
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const PALETTE = {
    light: ["#1f5f8b", "#c2570c", "#24693d", "#7b3fa0", "#8a6d00", "#0f7c80", "#a3365b", "#555b61"],
    dark: ["#7cc0ee", "#ffa366", "#7fce9c", "#cfa0f0", "#e3cd5c", "#66d2d6", "#f494b5", "#b8bec4"],
  };
  const LANE = 190;
  const LOG_RATIO = 1e3;
  const PRINT_WIDTH = 680;
  const NUMBERS = { NaN: NaN, Infinity: Infinity, "-Infinity": -Infinity };
  let printing = false;

  /* Series */

  function decode(index) {
    const raw = data.series[index];
    if (raw.steps) return raw;
    const regular = typeof raw.strides === "number";
    raw.steps = [];
    raw.numbers = raw.values.map((value) => (typeof value === "string" ? NUMBERS[value] : value));
    let step = raw.first;
    for (let i = 0; i < raw.values.length; i += 1) {
      raw.steps.push(step);
      step += regular ? raw.strides : raw.strides[i];
    }
    return raw;
  }

  /* Plotly takes some HTML in texts; what a run is called must be shown as it is. */
  function literal(text) {
    return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  }

  function short(value) {
    if (!Number.isFinite(value)) return String(value).replace("Infinity", "infinity");
    return String(Number(value.toPrecision(5)));
  }

  /* Theme */

  function dark() {
    if (printing) return false;
    const chosen = root.dataset.theme;
    return chosen ? chosen === "dark" : system.matches;
  }

  function color(name) {
    return window.getComputedStyle(root).getPropertyValue("--" + name).trim();
  }

  function colors() {
    if (!printing) {
      return { text: color("text"), grid: color("grid"), error: color("error"), warning: color("warning"), info: color("info"), shade: color("shade"), panel: color("panel") };
    }
    return { text: "#000", grid: "#ddd", error: "#a00", warning: "#740", info: "#036", shade: "rgba(179,38,30,0.13)", panel: "#fff" };
  }

  /* Charts */

  function useLog(lane) {
    let least = Infinity;
    let most = 0;
    for (const index of lane.series) {
      for (const value of decode(index).numbers) {
        if (!Number.isFinite(value)) continue;
        if (value <= 0) return false;
        least = Math.min(least, value);
        most = Math.max(most, value);
      }
    }
    return most / least > LOG_RATIO;
  }

  /* A constant would stand in a range of 2 around it, where 0.001 looks like nothing. */
  function constantRange(lane) {
    const all = new Set(lane.series.flatMap((index) => decode(index).numbers.filter(Number.isFinite)));
    if (lane.limit !== undefined) all.add(lane.limit);
    const [value] = all;
    return all.size === 1 && value !== 0 ? [Math.min(0, 1.5 * value), Math.max(0, 1.5 * value)] : undefined;
  }

  function canLog(lane) {
    return lane.series.every((index) => decode(index).numbers.every((value) => !Number.isFinite(value) || value > 0));
  }

  /* A line breaks where the steps go back: a restart. */
  function line(series) {
    const x = [];
    const y = [];
    for (let i = 0; i < series.steps.length; i += 1) {
      if (i > 0 && series.steps[i] < series.steps[i - 1]) {
        x.push(series.steps[i]);
        y.push(null);
      }
      x.push(series.steps[i]);
      y.push(Number.isFinite(series.numbers[i]) ? series.numbers[i] : null);
    }
    return { x, y };
  }

  function notFinite(series) {
    const at = { x: [], text: [] };
    series.numbers.forEach((value, i) => {
      if (Number.isFinite(value)) return;
      at.x.push(series.steps[i]);
      at.text.push(literal(series.name + ": " + short(value) + " at " + series.steps[i].toLocaleString("en-US")));
    });
    return at;
  }

  function suffix(number) {
    return number === 1 ? "" : String(number);
  }

  function linesFigure(spec, log) {
    const look = colors();
    const palette = PALETTE[dark() ? "dark" : "light"];
    const traces = [];
    const shapes = [];
    const layout = base(look);
    const top = spec.marks.length ? 0.5 : 0;
    const total = spec.lanes.length + top;
    const gap = 0.16 / total;
    let paint = 0;
    spec.lanes.forEach((lane, i) => {
      const n = i + 1;
      const high = 1 - (i + top) / total;
      const low = Math.max(0, 1 - (i + 1 + top) / total + (n < spec.lanes.length ? gap : 0));
      const shared = lane.axis === spec.lanes[0].axis;
      const lastOfAxis = !spec.lanes.slice(n).some((other) => other.axis === lane.axis);
      layout["yaxis" + suffix(n)] = axis(look, { domain: [low, high], title: { text: literal(lane.title), font: { size: 11 } }, type: log && canLog(lane) ? "log" : "linear", anchor: "x" + suffix(n), exponentformat: "e", automargin: true, nticks: 6 });
      const constant = constantRange(lane);
      if (constant && layout["yaxis" + suffix(n)].type === "linear") layout["yaxis" + suffix(n)].range = constant;
      layout["xaxis" + suffix(n)] = axis(look, { domain: [0, 1], anchor: "y" + suffix(n), showticklabels: lastOfAxis, title: lastOfAxis ? { text: literal(lane.axis), font: { size: 11 } } : undefined, ...(n > 1 && shared ? { matches: "x" } : {}) });
      const range = [Infinity, -Infinity];
      lane.series.forEach((index) => {
        const series = decode(index);
        const stroke = palette[paint % palette.length];
        paint += 1;
        for (const step of series.steps) {
          range[0] = Math.min(range[0], step);
          range[1] = Math.max(range[1], step);
        }
        const lone = series.numbers.length < 40;
        traces.push({ type: "scatter", mode: lone ? "lines+markers" : "lines", ...line(series), name: literal(series.name), line: { color: stroke, width: 1.6 }, marker: { size: 4, color: stroke }, xaxis: "x" + suffix(n), yaxis: "y" + suffix(n), hovertemplate: "%{y:.5g}" });
        const bad = notFinite(series);
        if (bad.x.length) {
          /* On an axis of their own, from 0 to 1: what is no number has no height. */
          const own = 50 + n;
          layout["yaxis" + own] = { domain: [low, high], range: [0, 1], visible: false, fixedrange: true, anchor: "x" + suffix(n) };
          traces.push({ type: "scatter", mode: "markers", x: bad.x, y: bad.x.map(() => 0.96), text: bad.text, hoverinfo: "text", hovertemplate: "%{text}<extra></extra>", marker: { symbol: "x", size: 8, color: look.error }, xaxis: "x" + suffix(n), yaxis: "y" + own, showlegend: false, name: "not finite" });
        }
      });
      if (lane.limit !== undefined && range[0] <= range[1]) {
        traces.push({ type: "scatter", mode: "lines", x: range, y: [lane.limit, lane.limit], name: literal(lane.limit_text), line: { color: look.error, width: 1.4, dash: "dash" }, xaxis: "x" + suffix(n), yaxis: "y" + suffix(n), hovertemplate: "%{y:.5g}" });
      }
      if (lane.axis === spec.axis) {
        for (const [first, last] of spec.spans) {
          shapes.push({ type: "rect", xref: "x" + suffix(n), yref: "y" + suffix(n) + " domain", x0: first, x1: last, y0: 0, y1: 1, fillcolor: look.shade, line: { color: look.shade, width: 2 }, layer: "below" });
        }
        for (const mark of spec.marks) {
          shapes.push({ type: "line", xref: "x" + suffix(n), yref: "y" + suffix(n) + " domain", x0: mark.step, x1: mark.step, y0: 0, y1: 1, line: { color: look[mark.severity], width: 1, dash: "dot" } });
        }
      }
    });
    if (spec.marks.length) addMarks(spec, look, layout, traces, 1 - (top / total) * 0.8);
    layout.shapes = shapes;
    layout.showlegend = traces.filter((trace) => trace.showlegend !== false).length > 1;
    layout.height = Math.round(LANE * total + 90);
    return { traces, layout };
  }

  /* Findings of the run as bars from their first to their last step, on a strip above the curves. */
  function addMarks(spec, look, layout, traces, low) {
    const rows = Math.min(spec.marks.length, 8);
    layout.yaxis90 = { domain: [low, 1], range: [rows - 0.5, -0.5], visible: false, fixedrange: true, anchor: "x" };
    spec.marks.forEach((mark, i) => {
      traces.push({ type: "scatter", mode: "lines+markers", x: [mark.step, mark.last], y: [i % rows, i % rows], customdata: [mark.target, mark.target], text: [literal(mark.text), literal(mark.text)], hovertemplate: "%{text}<extra></extra>", line: { color: look[mark.severity], width: 3 }, marker: { size: [8, 5], color: look[mark.severity] }, xaxis: "x", yaxis: "y90", showlegend: false, name: "finding" });
    });
  }

  function heatmapFigure(spec, log) {
    const look = colors();
    const rows = spec.rows.map(decode);
    const steps = Array.from(new Set(rows.flatMap((row) => row.steps))).sort((a, b) => a - b);
    const place = new Map(steps.map((step, i) => [step, i]));
    const bad = { x: [], y: [], text: [] };
    const names = rows.map((row, i) => (i + 1) + " " + row.name);
    const cells = rows.map((row, r) => {
      const line = new Array(steps.length).fill(null);
      row.steps.forEach((step, i) => {
        const value = row.numbers[i];
        if (Number.isFinite(value)) {
          line[place.get(step)] = log ? (value > 0 ? Math.log10(value) : null) : value;
        } else {
          bad.x.push(step);
          bad.y.push(r);
          bad.text.push(literal(row.name + ": " + short(value) + " at " + step.toLocaleString("en-US")));
        }
      });
      return line;
    });
    const values = rows.map((row) => {
      const line = new Array(steps.length).fill("");
      row.steps.forEach((step, i) => { line[place.get(step)] = literal(row.name) + "<br>" + literal(short(row.numbers[i])) + " at " + step.toLocaleString("en-US"); });
      return line;
    });
    const traces = [{ type: "heatmap", x: steps, y: rows.map((_, i) => i), z: cells, text: values, hovertemplate: "%{text}<extra></extra>", colorscale: dark() ? "Viridis" : "Cividis", hoverongaps: false, colorbar: { title: { text: log ? "log10" : "", font: { size: 11 } }, thickness: 12, tickfont: { size: 10 } } }];
    if (bad.x.length) traces.push({ type: "scatter", mode: "markers", x: bad.x, y: bad.y, text: bad.text, hovertemplate: "%{text}<extra></extra>", marker: { symbol: "x", size: 6, color: look.error }, showlegend: false, name: "not finite" });
    const layout = base(look);
    layout.title = { text: literal(spec.title), font: { size: 12 } };
    layout.margin.t = 36;
    layout.xaxis = axis(look, { title: { text: literal(spec.axis), font: { size: 11 } }, showgrid: false });
    layout.yaxis = axis(look, { autorange: "reversed", tickmode: "array", tickvals: rows.map((_, i) => i).filter((i) => rows.length <= 32 || i % 2 === 0), showgrid: false, automargin: true, tickfont: { size: 10 } });
    layout.yaxis.ticktext = layout.yaxis.tickvals.map((i) => literal(names[i].length > 42 ? names[i].slice(0, 20) + "…" + names[i].slice(-20) : names[i]));
    layout.height = Math.max(200, Math.min(900, 110 + 16 * rows.length));
    layout.showlegend = false;
    return { traces, layout };
  }

  /* Runs of steps in which all of the numbers are finite: a band breaks where a value is none. */
  function stretches(steps, lows, highs) {
    const found = [];
    let open = null;
    steps.forEach((step, i) => {
      if (!Number.isFinite(lows[i]) || !Number.isFinite(highs[i])) {
        open = null;
        return;
      }
      if (!open) found.push((open = []));
      open.push([step, lows[i], highs[i]]);
    });
    return found;
  }

  function bandsFigure(spec) {
    const look = colors();
    const stroke = PALETTE[dark() ? "dark" : "light"][0];
    const alpha = ["22", "44", "66"];
    const traces = [];
    spec.bands.forEach((band, n) => {
      const low = decode(band.low);
      const high = decode(band.high);
      const shape = { x: [], y: [] };
      for (const part of stretches(low.steps, low.numbers, high.numbers)) {
        const back = part.slice().reverse();
        shape.x.push(...part.map((at) => at[0]), ...back.map((at) => at[0]), null);
        shape.y.push(...part.map((at) => at[1]), ...back.map((at) => at[2]), null);
      }
      traces.push({ type: "scatter", mode: "lines", fill: "toself", x: shape.x, y: shape.y, name: literal(band.name), fillcolor: stroke + alpha[Math.min(n, 2)], line: { color: stroke + alpha[Math.min(n, 2)], width: 1 }, hoverinfo: "skip" });
    });
    const middle = decode(spec.line);
    const ends = spec.bands.map((band) => ({ name: band.name, low: decode(band.low).numbers, high: decode(band.high).numbers }));
    const words = middle.steps.map((step, i) => [spec.name + " " + short(middle.numbers[i]), ...ends.map((end) => end.name + ": " + short(end.low[i]) + " to " + short(end.high[i]))].map(literal).join("<br>") + "<br>at " + step.toLocaleString("en-US"));
    traces.push({ type: "scatter", mode: "lines+markers", ...line(middle), name: literal(spec.name), text: words, hovertemplate: "%{text}<extra></extra>", line: { color: stroke, width: 1.8 }, marker: { size: 4, color: stroke } });
    const layout = base(look);
    const bad = notFinite(middle);
    if (bad.x.length) {
      layout.yaxis2 = { overlaying: "y", range: [0, 1], visible: false, fixedrange: true };
      traces.push({ type: "scatter", mode: "markers", x: bad.x, y: bad.x.map(() => 0.96), text: bad.text, hovertemplate: "%{text}<extra></extra>", marker: { symbol: "x", size: 8, color: look.error }, yaxis: "y2", showlegend: false, name: "not finite" });
    }
    layout.xaxis = axis(look, { title: { text: literal(spec.axis), font: { size: 11 } } });
    layout.yaxis = axis(look, { title: { text: literal(spec.title.length > 40 ? spec.title.slice(0, 19) + "…" + spec.title.slice(-19) : spec.title), font: { size: 11 } }, exponentformat: "e", automargin: true, nticks: 8, zeroline: true });
    layout.height = 320;
    layout.showlegend = true;
    return { traces, layout };
  }

  function base(look) {
    return { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", modebar: { bgcolor: "rgba(0,0,0,0)", color: look.grid, activecolor: look.text }, font: { color: look.text, size: 11 }, margin: { l: 60, r: 16, t: 12, b: 44 }, hovermode: "closest", hoverlabel: { bgcolor: look.panel, font: { color: look.text }, namelength: 40 }, legend: { orientation: "h", yanchor: "bottom", y: 1.01, x: 0, font: { size: 11 } }, dragmode: "zoom" };
  }

  function axis(look, more) {
    return { gridcolor: look.grid, zerolinecolor: look.grid, linecolor: look.grid, ...more };
  }

  function heatLog(spec) {
    let least = Infinity;
    let most = 0;
    for (const index of spec.rows) for (const value of decode(index).numbers) if (value > 0 && Number.isFinite(value)) { least = Math.min(least, value); most = Math.max(most, value); }
    return most / least > LOG_RATIO;
  }

  /* plotly.js takes a second to start, which a reader of the text need not wait for: it runs with the first chart. */
  function startPlotly() {
    if (window.Plotly) return;
    const script = document.createElement("script");
    script.textContent = document.getElementById("plotly-source").textContent;
    document.head.appendChild(script);
  }

  /* Plotly may hang when a chart is drawn anew before it is done: the second drawing waits for the first. */
  const busy = new Set();
  const again = new Set();

  function draw(node) {
    if (busy.has(node)) {
      again.add(node);
      return;
    }
    const spec = data.charts[Number(node.dataset.chart)];
    if (!spec || node.dataset.chart === "") return;
    startPlotly();
    if (node.dataset.log === undefined) {
      node.dataset.log = String(spec.kind === "heatmap" ? heatLog(spec) : spec.kind === "lines" && spec.lanes.some(useLog));
    }
    const log = node.dataset.log === "true";
    const figure = spec.kind === "heatmap" ? heatmapFigure(spec, log) : spec.kind === "bands" ? bandsFigure(spec) : linesFigure(spec, log);
    if (printing) figure.layout.width = PRINT_WIDTH;
    let plot = node.querySelector(".plot");
    if (!plot) {
      plot = document.createElement("div");
      plot.className = "plot";
      node.appendChild(plot);
      /* Values of a tensor lie on both sides of zero. */
      if (spec.kind !== "bands") addTools(node);
    }
    node.dataset.drawn = node.dataset.chart;
    const config = { responsive: !printing, displaylogo: false, displayModeBar: printing ? false : "hover", modeBarButtons: [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]] };
    busy.add(node);
    Plotly.react(plot, figure.traces, figure.layout, config).catch(failed(node)).then(() => {
      busy.delete(node);
      if (again.delete(node)) draw(node);
    });
    if (!node.dataset.live) {
      node.dataset.live = "true";
      plot.on("plotly_click", (event) => {
        const target = event.points[0] && event.points[0].customdata;
        if (typeof target === "string") show(target);
      });
    }
  }

  function failed(node) {
    return (error) => {
      node.dataset.failed = "true";
      node.textContent = "This chart could not be drawn: " + error;
    };
  }

  function addTools(node) {
    const tools = document.createElement("div");
    tools.className = "chart-tools";
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Logarithmic";
    button.setAttribute("aria-pressed", node.dataset.log);
    button.addEventListener("click", () => {
      node.dataset.log = String(node.dataset.log !== "true");
      button.setAttribute("aria-pressed", node.dataset.log);
      draw(node);
    });
    tools.appendChild(button);
    node.appendChild(tools);
  }

  const charts = Array.from(document.querySelectorAll(".chart"));
  const drawn = () => charts.filter((node) => node.dataset.drawn !== undefined);
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watcher.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "300px" });
  charts.forEach((node) => watcher.observe(node));

  document.addEventListener("change", (event) => {
    const select = event.target;
    if (!(select instanceof HTMLSelectElement) || !select.classList.contains("member")) return;
    const chart = select.closest("p").nextElementSibling;
    if (!chart || !chart.classList.contains("chart")) return;
    chart.hidden = select.value === "";
    if (select.value === "") return;
    chart.dataset.chart = select.value;
    delete chart.dataset.log;
    chart.setAttribute("aria-label", "chart: " + select.selectedOptions[0].textContent);
    draw(chart);
    const pressed = chart.querySelector(".chart-tools button");
    if (pressed) pressed.setAttribute("aria-pressed", chart.dataset.log);
  });

  /* Filters */

  const form = document.getElementById("filters");
  const cards = Array.from(document.querySelectorAll("#cards .card"));
  const texts = new Map();
  const textOf = (card) => {
    if (!texts.has(card)) texts.set(card, card.textContent.toLowerCase());
    return texts.get(card);
  };

  function filter() {
    const severities = new Set(Array.from(form.querySelectorAll("[name=severity]:checked"), (box) => box.value));
    const rule = form.elements.rule.value;
    const run = form.elements.run.value;
    const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const card of cards) {
      const of = card.dataset;
      const fits = severities.has(of.severity) && (!rule || of.rule === rule) && (!run || of.run === run) && (!words.length || words.every((word) => textOf(card).includes(word)));
      card.hidden = !fits;
      count += fits ? 1 : 0;
    }
    document.getElementById("shown").textContent = count.toLocaleString("en-US") + " of " + cards.length.toLocaleString("en-US") + " shown";
    document.getElementById("nothing").hidden = count > 0;
  }

  function openAll(open) {
    for (const card of cards) if (!card.hidden) card.querySelector("details").open = open;
  }

  if (form) {
    form.hidden = false;
    let waiting = 0;
    form.addEventListener("input", (event) => {
      window.clearTimeout(waiting);
      if (event.target.name === "text") waiting = window.setTimeout(filter, 80);
      else filter();
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => window.setTimeout(filter, 0));
    document.getElementById("open-all").addEventListener("click", () => openAll(true));
    document.getElementById("close-all").addEventListener("click", () => openAll(false));
    filter();
    document.addEventListener("keydown", (event) => {
      const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
      if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        form.elements.text.focus();
      } else if (event.key === "Escape" && event.target === form.elements.text) {
        form.elements.text.value = "";
        filter();
      }
    });
  }

  document.addEventListener("click", (event) => {
    const pick = event.target instanceof Element ? event.target.closest("button.pick") : null;
    if (!pick || !form) return;
    form.reset();
    if (pick.dataset.rule !== undefined) form.elements.rule.value = pick.dataset.rule;
    if (pick.dataset.run !== undefined) form.elements.run.value = pick.dataset.run;
    window.setTimeout(() => {
      filter();
      document.getElementById("findings").scrollIntoView();
      document.getElementById("findings").focus({ preventScroll: true });
    }, 0);
  });

  /* Links between findings open what they lead to, also when the filters hide it. */

  function show(id) {
    const target = document.getElementById(id);
    if (!target) return;
    if (target.hidden && form) {
      form.reset();
      filter();
      target.hidden = false;
    }
    for (let node = target; node; node = node.parentElement) if (node instanceof HTMLDetailsElement) node.open = true;
    const own = target.querySelector(":scope > details");
    if (own) own.open = true;
    target.scrollIntoView();
    target.focus({ preventScroll: true });
  }

  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest('a[href^="#"]') : null;
    if (link) window.setTimeout(() => show(link.getAttribute("href").slice(1)), 0);
  });
  if (window.location.hash) show(window.location.hash.slice(1));
  else if (cards.length) cards[0].querySelector("details").open = true;

  /* Theme: system, light, dark; remembered where the browser lets a file remember. */

  const button = document.getElementById("theme");
  const themes = ["system", "light", "dark"];

  function remembered() {
    try { return window.localStorage.getItem("mlcheck-theme"); } catch { return null; }
  }

  function setTheme(name) {
    if (name === "system") delete root.dataset.theme;
    else root.dataset.theme = name;
    button.querySelector("span").textContent = name;
    try { window.localStorage.setItem("mlcheck-theme", name); } catch { /* a file may have no storage */ }
    drawn().forEach(draw);
  }

  button.hidden = false;
  button.addEventListener("click", () => {
    const now = root.dataset.theme || "system";
    setTheme(themes[(themes.indexOf(now) + 1) % themes.length]);
  });
  const earlier = remembered();
  if (earlier === "light" || earlier === "dark") setTheme(earlier);
  system.addEventListener("change", () => drawn().forEach(draw));

  /* Print: all that is not filtered away, unfolded, with every chart, on white. */

  let folded = [];
  window.addEventListener("beforeprint", () => {
    printing = true;
    folded = Array.from(document.querySelectorAll("details:not([open])")).filter((node) => !node.closest("[hidden]"));
    for (const node of folded) node.open = true;
    for (const node of charts) if (!node.closest("[hidden]")) draw(node);
  });
  window.addEventListener("afterprint", () => {
    printing = false;
    for (const node of folded) node.open = false;
    drawn().forEach(draw);
  });
})();
