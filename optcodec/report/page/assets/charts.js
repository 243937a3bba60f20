// Charts: a Vega-Lite specification from the figures of each, and one legend of buttons for all charts of a section.
"use strict";
(() => {
  const SHAPES = ["circle", "square", "diamond", "triangle-up", "triangle-down", "cross"];
  const DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3]];
  const COLOURS = 12;
  const ERRORS = 1; // the level of Vega at which it is silent about charts without a line
  const MOST_INTERVALS = 3; // of more lines they would cover one another: they appear where one points, or by a button
  const HEIGHT = 320;

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colourOf = (line) => css(`--line-${line.colour % COLOURS}`);
  const short = (value) => (value === null ? "no end" : String(Number(value.toPrecision(4))));

  // A name has one look on the whole section; where colours repeat, shapes still differ.
  function scaleOf(lines, look) {
    return { domain: lines.map((line) => line.name), range: lines.map(look) };
  }

  // Logarithmic where all figures are above 0; else linear around 0, with marks at powers of ten.
  function verticalScale(chart) {
    if (chart.linearBelow === null) return { scale: { zero: false, nice: true } };
    const values = chart.rows.flatMap((row) => [row.y, row.low, row.high]).filter((value) => value !== null);
    if (Math.min(...values) > 0) return { scale: { type: "log", nice: false } };
    const marks = [0];
    for (let power = 10 ** Math.ceil(Math.log10(chart.linearBelow)); power <= Math.max(...values.map(Math.abs)); power *= 10) {
      for (const mark of [power, -power]) {
        if (mark >= Math.min(...values) && mark <= Math.max(...values)) marks.push(mark);
      }
    }
    return { scale: { type: "symlog", constant: chart.linearBelow, nice: false }, axis: { values: marks } };
  }

  function specification(chart) {
    const shown = [{ filter: "indexof(hidden, datum.name) < 0" }];
    const vertical = verticalScale(chart);
    const x = { field: "x", type: "quantitative", title: chart.xTitle, scale: { zero: false, nice: false, padding: 12 } };
    const y = { field: "y", type: "quantitative", title: chart.yTitle, ...vertical };
    const colour = { field: "name", type: "nominal", legend: null, scale: scaleOf(chart.lines, colourOf) };
    const faded = (full) => ({ condition: { test: "focus == '' || datum.name == focus", value: full }, value: 0.15 });
    // Those that are not shown are transparent, so that the axes stay as they are.
    const interval = { condition: { test: "datum.name == focus || datum.name == pointed || (bars && focus == '')", value: 0.6 }, value: 0 };
    const layers = [
      {
        transform: [...shown, { filter: "datum.low !== null && datum.high !== null" }],
        mark: { type: "rule", strokeWidth: 1.5 },
        encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color: colour, opacity: interval },
      },
      {
        transform: shown,
        mark: { type: "line", strokeWidth: 2 },
        encoding: {
          x, y, color: colour, opacity: faded(1),
          strokeDash: { field: "name", type: "nominal", legend: null, scale: scaleOf(chart.lines, (line) => DASHES[line.dash % DASHES.length]) },
        },
      },
      {
        transform: shown,
        params: [{ name: "near", select: { type: "point", on: "pointerover", clear: "pointerout", nearest: true } }],
        mark: { type: "point", filled: true },
        encoding: {
          x, y, color: colour, opacity: faded(1),
          shape: { field: "name", type: "nominal", legend: null, scale: scaleOf(chart.lines, (line) => SHAPES[line.colour % SHAPES.length]) },
          size: { condition: { param: "near", empty: false, value: 150 }, value: 45 },
          tooltip: { value: "point" }, // its text is made by `Tip`
        },
      },
    ];
    if (chart.level && (vertical.scale.type !== "log" || chart.level.value > 0)) {
      layers.unshift({
        data: { values: [{ value: chart.level.value, name: chart.level.name }] },
        mark: { type: "rule", strokeDash: [4, 4], color: css("--soft"), strokeWidth: 1.5 },
        encoding: { y: { field: "value", type: "quantitative" }, tooltip: { value: "level" } },
      });
    }
    return {
      $schema: "https://vega.github.io/schema/vega-lite/v6.json",
      description: `${chart.title}: ${chart.lines.map((line) => line.name).join(", ")}. The numbers are in the table below.`,
      width: "container", height: HEIGHT, autosize: { type: "fit", contains: "padding" },
      data: { values: chart.rows },
      params: [{ name: "hidden", value: [] }, { name: "bars", value: true }, { name: "focus", value: "" }, { name: "pointed", value: "" }],
      layer: layers,
      config: {
        background: null, font: "system-ui, sans-serif", view: { stroke: null },
        axis: {
          labelColor: css("--soft"), titleColor: css("--ink"), gridColor: css("--edge"), domainColor: css("--edge"),
          tickColor: css("--edge"), labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500, gridOpacity: 0.7, tickCount: 6,
        },
      },
    };
  }

  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "status");
  tip.hidden = true;
  document.body.append(tip);

  // The figures of the point nearest to the pointer, beside it; away without one.
  function showTip(event, item, chart) {
    tip.hidden = item === null;
    if (tip.hidden) return;
    const row = item.datum.datum ?? item.datum; // a cell around a point has the point inside
    const figures = "x" in row
      ? [[chart.xTitle, row.x.toFixed(3)], [chart.yTitle, short(row.y)], ["interval (95 %)", row.low === row.high ? null : `${short(row.low)} to ${short(row.high)}`]]
      : [[chart.yTitle, short(row.value)]];
    const lines = [row.name, ...figures.filter(([, text]) => text !== null).map(([title, text]) => `${title}: ${text}`)];
    tip.replaceChildren(...lines.map((text) => Object.assign(document.createElement("div"), { textContent: text })));
    const room = { right: innerWidth - tip.offsetWidth - 8, down: innerHeight - tip.offsetHeight - 8 };
    tip.style.left = `${Math.max(8, Math.min(event.clientX + 14, room.right))}px`;
    tip.style.top = `${Math.max(8, Math.min(event.clientY + 14, room.down))}px`;
  }

  function swatch(line) {
    const dash = DASHES[line.dash % DASHES.length].join(" ");
    return `<svg width="26" height="10" aria-hidden="true"><path d="M0 5H26" stroke="${colourOf(line)}" stroke-width="3" stroke-dasharray="${line.dash ? dash : ""}"/></svg>`;
  }

  class Section {
    constructor(element) {
      this.panels = [...element.querySelectorAll("[data-panel]")];
      this.legend = element.querySelector("[data-legend]");
      this.charts = [...element.querySelectorAll("[data-chart]")].map((place) => ({
        place, panel: place.closest("[data-panel]"), chart: JSON.parse(place.nextElementSibling.textContent), view: null,
      }));
      const names = new Set(this.charts.flatMap((each) => each.chart.lines.map((line) => line.name)));
      this.state = { hidden: [], bars: names.size <= MOST_INTERVALS, focus: "", pointed: "" };
      element.querySelector("[data-panels]")?.addEventListener("change", (event) => this.choose(event.target.selectedIndex));
      document.addEventListener("themechange", () => this.draw());
      this.draw();
    }

    choose(index) {
      this.panels.forEach((panel, each) => { panel.hidden = each !== index; });
      this.draw();
    }

    // Draws the charts of the panel that is shown, in the colours of the theme.
    draw() {
      this.drawLegend();
      for (const each of this.charts) {
        each.view?.finalize();
        each.view = null;
        if (each.panel.hidden) continue;
        const tooltip = (_, event, item, value) => showTip(event, value === null || value === "" ? null : item, each.chart);
        const options = { actions: false, renderer: "svg", ast: true, logLevel: ERRORS, tooltip };
        vegaEmbed(each.place, specification(each.chart), options).then((result) => {
          each.view = result.view;
          this.watch(each.view);
          this.tell(each.view);
        });
      }
    }

    // The intervals of the line that one points at are shown.
    watch(view) {
      view.addEventListener("pointerover", (_, item) => {
        const name = item?.datum?.datum?.name ?? item?.datum?.name ?? "";
        if (name !== this.state.pointed) this.set({ pointed: name });
      });
      view.addEventListener("pointerout", () => this.set({ pointed: "" }));
    }

    drawLegend() {
      const shown = this.charts.filter((each) => !each.panel.hidden);
      const lines = new Map(shown.flatMap((each) => each.chart.lines.map((line) => [line.name, line])));
      const focused = this.legend.contains(document.activeElement) ? document.activeElement.dataset.name : null;
      this.legend.replaceChildren();
      for (const line of lines.values()) {
        const button = this.button(line.name, !this.state.hidden.includes(line.name), () => {
          const hidden = this.state.hidden;
          this.set({ hidden: hidden.includes(line.name) ? hidden.filter((name) => name !== line.name) : [...hidden, line.name] });
        });
        button.dataset.line = "";
        button.insertAdjacentHTML("afterbegin", swatch(line));
        for (const on of ["pointerenter", "focus"]) button.addEventListener(on, () => this.set({ focus: this.state.hidden.includes(line.name) ? "" : line.name }));
        for (const off of ["pointerleave", "blur"]) button.addEventListener(off, () => this.set({ focus: "" }));
        if (line.name === focused) button.focus();
      }
      if (shown.some((each) => each.chart.rows.some((row) => row.low !== row.high))) this.button("Intervals", this.state.bars, () => this.set({ bars: !this.state.bars }));
    }

    button(name, pressed, press) {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.name = name;
      button.textContent = name;
      button.setAttribute("aria-pressed", String(pressed));
      button.addEventListener("click", () => {
        button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
        press();
      });
      this.legend.append(button);
      return button;
    }

    set(change) {
      Object.assign(this.state, change);
      if (this.state.hidden.includes(this.state.focus)) this.state.focus = "";
      for (const each of this.charts) if (each.view) this.tell(each.view);
    }

    tell(view) {
      for (const [name, value] of Object.entries(this.state)) view.signal(name, value);
      view.runAsync();
    }
  }

  document.querySelectorAll("[data-charts]").forEach((element) => new Section(element));
})();
