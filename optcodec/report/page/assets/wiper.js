// A slider that wipes between two pictures of one motif; zoom and pan with pointers, fingers, keys and buttons.
"use strict";
(() => {
  const LARGEST = 16;
  const STEP = 2; // % of the width, of an arrow key
  const PAN = 40; // pixels, of an arrow key
  const NEAR = 28; // pixels from the border that still take hold of it
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  class Wiper {
    constructor(element) {
      const find = (name) => element.querySelector(`[data-${name}]`);
      this.stage = find("stage");
      this.edge = find("edge");
      this.captions = find("captions");
      this.range = find("slide").querySelector("input");
      this.panes = { left: element.querySelector("[data-pane=left]"), right: element.querySelector("[data-pane=right]") };
      this.selects = { left: element.querySelector("[data-side=left]"), right: element.querySelector("[data-side=right]") };
      this.motifs = [...element.querySelectorAll("[data-views]")].map((views) => [...views.querySelectorAll("img")]);
      this.at = 50;
      this.zoom = { scale: 1, x: 0, y: 0 };
      this.pointers = new Map();
      find("sources").hidden = true;
      for (const name of ["controls", "stage", "slide"]) find(name).hidden = false;
      find("motif")?.addEventListener("change", (event) => this.choose(event.target.selectedIndex));
      for (const select of Object.values(this.selects)) select.addEventListener("change", () => this.show());
      this.range.addEventListener("input", () => this.wipe(Number(this.range.value)));
      element.querySelectorAll("[data-zoom]").forEach((button) => button.addEventListener("click", () => this.press(button.dataset.zoom)));
      this.listen();
      this.choose(0);
    }

    listen() {
      const stage = this.stage;
      stage.addEventListener("keydown", (event) => this.key(event));
      stage.addEventListener("pointerdown", (event) => this.down(event));
      stage.addEventListener("pointermove", (event) => this.move(event));
      for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
      stage.addEventListener("wheel", (event) => {
        if (!event.ctrlKey) return; // the wheel alone scrolls the page
        event.preventDefault();
        this.zoomBy(Math.exp(-event.deltaY / 200), this.place(event));
      }, { passive: false });
      new ResizeObserver(() => this.draw()).observe(stage);
    }

    choose(index) {
      this.layers = this.motifs[index];
      for (const [side, select] of Object.entries(this.selects)) {
        select.replaceChildren(...this.layers.map((layer) => new Option(layer.dataset.name)));
        select.selectedIndex = side === "left" ? 0 : this.layers.length - 1;
      }
      const first = this.layers[0];
      this.size = { width: Number(first.getAttribute("width")), height: Number(first.getAttribute("height")) };
      this.stage.style.aspectRatio = `${this.size.width} / ${this.size.height}`;
      this.stage.parentElement.style.maxWidth = `calc(75vh * ${this.size.width / this.size.height})`;
      this.zoom = { scale: 1, x: 0, y: 0 };
      this.show();
    }

    show() {
      this.captions.replaceChildren();
      for (const [side, pane] of Object.entries(this.panes)) {
        const layer = this.layers[this.selects[side].selectedIndex];
        const picture = pane.querySelector("img");
        picture.src = layer.src;
        picture.alt = layer.alt;
        const line = document.createElement("span");
        line.textContent = `${side === "left" ? "◂ " : ""}${layer.dataset.name}: ${layer.dataset.caption}${side === "right" ? " ▸" : ""}`;
        this.captions.append(line);
      }
      this.draw();
    }

    wipe(at) {
      this.at = clamp(at, 0, 100);
      this.draw();
    }

    draw() {
      const { scale, x, y } = this.zoom;
      this.edge.style.left = `${this.at}%`;
      this.panes.right.style.clipPath = `inset(0 0 0 ${this.at}%)`;
      this.range.value = String(Math.round(this.at));
      this.stage.classList.toggle("zoomed", scale > 1);
      const sharp = (this.stage.clientWidth * scale) / this.size.width > 1.5;
      for (const pane of Object.values(this.panes)) {
        const style = pane.querySelector("img").style;
        style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
        style.imageRendering = sharp ? "pixelated" : "auto";
      }
    }

    place(event) {
      const box = this.stage.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    }

    middle() {
      return { x: this.stage.clientWidth / 2, y: this.stage.clientHeight / 2 };
    }

    // Zooms around a place of the stage, which stays where it is.
    zoomBy(factor, around) {
      const scale = clamp(this.zoom.scale * factor, 1, LARGEST);
      const change = scale / this.zoom.scale;
      this.panTo(around.x - (around.x - this.zoom.x) * change, around.y - (around.y - this.zoom.y) * change, scale);
    }

    panTo(x, y, scale = this.zoom.scale) {
      const { clientWidth: width, clientHeight: height } = this.stage;
      this.zoom = { scale, x: clamp(x, width * (1 - scale), 0), y: clamp(y, height * (1 - scale), 0) };
      this.draw();
    }

    press(name) {
      if (name === "whole") this.panTo(0, 0, 1);
      else this.zoomBy(name === "in" ? 2 : 0.5, this.middle());
    }

    key(event) {
      const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const zooms = { "+": "in", "=": "in", "-": "out", 0: "whole" };
      const zoomed = this.zoom.scale > 1;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key in zooms) this.press(zooms[event.key]);
      else if (event.key in steps && zoomed) {
        const [right, down] = steps[event.key];
        this.panTo(this.zoom.x - PAN * right, this.zoom.y - PAN * down);
      } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") this.wipe(this.at + STEP * steps[event.key][0]);
      else if (event.key === "Home") this.wipe(0);
      else if (event.key === "End") this.wipe(100);
      else return;
      event.preventDefault();
    }

    down(event) {
      const place = this.place(event);
      const near = Math.abs(place.x - (this.at / 100) * this.stage.clientWidth) < NEAR;
      this.stage.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, place);
      this.mode = near || this.zoom.scale === 1 ? "wipe" : "pan";
      if (this.mode === "wipe" && event.pointerType === "mouse") this.wipeTo(place);
    }

    move(event) {
      const before = this.pointers.get(event.pointerId);
      if (!before) return;
      const place = this.place(event);
      if (this.pointers.size === 2) {
        const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
        const apart = (from) => Math.hypot(from.x - other.x, from.y - other.y) || 1;
        this.zoomBy(apart(place) / apart(before), { x: (place.x + other.x) / 2, y: (place.y + other.y) / 2 });
      } else if (this.mode === "wipe") this.wipeTo(place);
      else this.panTo(this.zoom.x + place.x - before.x, this.zoom.y + place.y - before.y);
      this.pointers.set(event.pointerId, place);
    }

    wipeTo(place) {
      this.wipe((100 * place.x) / this.stage.clientWidth);
    }
  }

  document.querySelectorAll("[data-wiper]").forEach((element) => new Wiper(element));
})();
