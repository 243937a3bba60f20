// Maps over a picture: choose one, see through it, and read the value of a block with the pointer or the arrow keys.
"use strict";
(() => {
  class Maps {
    constructor(element) {
      const all = (name) => [...element.querySelectorAll(`[data-${name}]`)];
      this.maps = JSON.parse(element.querySelector("script").textContent);
      this.stage = element.querySelector("[data-stage]");
      this.overlays = all("over");
      this.scales = all("scale");
      this.cursor = element.querySelector("[data-cursor]");
      this.readout = element.querySelector("[data-readout]");
      this.index = 0;
      this.row = 0;
      this.column = 0;
      element.querySelectorAll("input[type=radio]").forEach((radio) => radio.addEventListener("change", () => this.choose(Number(radio.value))));
      const opacity = element.querySelector("[data-opacity]");
      opacity.addEventListener("input", () => this.overlays.forEach((each) => { each.style.opacity = opacity.value / 100; }));
      this.stage.addEventListener("pointermove", (event) => this.point(event));
      this.stage.addEventListener("pointerdown", (event) => this.point(event));
      this.stage.addEventListener("pointerleave", () => { this.cursor.hidden = true; });
      this.stage.addEventListener("keydown", (event) => this.key(event));
    }

    choose(index) {
      this.index = index;
      [this.overlays, this.scales].forEach((each) => each.forEach((one, number) => { one.hidden = number !== index; }));
      if (!this.cursor.hidden) this.read(this.row, this.column);
    }

    point(event) {
      const box = this.overlays[this.index].getBoundingClientRect();
      const { values } = this.maps[this.index];
      const column = Math.floor(((event.clientX - box.left) / box.width) * values[0].length);
      this.read(Math.floor(((event.clientY - box.top) / box.height) * values.length), column);
    }

    key(event) {
      const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
      if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const [down, right] = this.cursor.hidden ? [0, 0] : steps[event.key];
      this.read(this.row + down, this.column + right);
    }

    read(row, column) {
      const { name, unit, side, values } = this.maps[this.index];
      this.row = Math.min(Math.max(row, 0), values.length - 1);
      this.column = Math.min(Math.max(column, 0), values[0].length - 1);
      const box = this.overlays[this.index];
      const [width, height] = [box.offsetWidth / values[0].length, box.offsetHeight / values.length];
      Object.assign(this.cursor.style, {
        left: `${this.column * width}px`, top: `${this.row * height}px`, width: `${width}px`, height: `${height}px`,
      });
      this.cursor.hidden = false;
      const place = `block of ${side} x ${side} pixels at ${this.column * side}, ${this.row * side}`;
      this.readout.textContent = `${name}: ${values[this.row][this.column]} ${unit}; ${place}`;
    }
  }

  document.querySelectorAll("[data-maps]").forEach((element) => new Maps(element));
})();
