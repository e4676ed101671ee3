// The slice viewer: float pictures on the graphics card (painter.js), grey limits there, one module without a dependency.
//
// From the kernel: {kind: "frame", frame, shape: [rows, columns], dtype, pixel_size_um, unit, title, subject, binning,
// whole: [rows, columns]} and one buffer; a coarse picture, binned, stands in the middle of the whole one, in whose pixels
// all places are counted. {kind: "clear"}; {kind: "status", state: "busy" | "idle" | "error", stage, text}.
// To the kernel: {kind: "ready"} once a page, {kind: "want", have: frame} when the page can take the next picture,
// {kind: "step", by: ±1} on Page Up / Page Down, {kind: "limits", limits: [black, white]} and {kind: "window", window:
// [left, top, right, bottom] or null for all} after a change.
// The root element says what is shown: data-frame, data-binning, data-state, data-subject.

const ARRAYS = { float32: Float32Array, uint16: Uint16Array, uint8: Uint8Array };
const BINS = 256;
const AUTO_TAIL = 0.004;

/** A sample of the finite values inside the inscribed ellipse: corners outside the field of view say nothing. */
function sampleOf({ data, width, height }) {
  const stride = Math.max(1, Math.round(Math.sqrt((width * height) / 60000))), values = [];
  for (let y = stride >> 1; y < height; y += stride)
    for (let x = stride >> 1; x < width; x += stride) {
      const value = data[y * width + x];
      if (Number.isFinite(value) && (2 * x / width - 1) ** 2 + (2 * y / height - 1) ** 2 < 0.98) values.push(value);
    }
  return Float32Array.from(values.length ? values : [0]).sort();
}

/** Grey statistics of a picture: histogram over `range`, `full` extent, `auto` limits. */
function statistics(picture) {
  const sorted = sampleOf(picture), last = sorted.length - 1;
  const at = (part) => sorted[Math.round(part * last)];
  const wide = (low, high) => (high > low ? [low, high] : [low - 0.5, high + 0.5]);
  const full = wide(sorted[0], sorted[last]), auto = wide(at(AUTO_TAIL), at(1 - AUTO_TAIL));
  const margin = 0.3 * (auto[1] - auto[0]), range = [Math.max(full[0], auto[0] - margin), Math.min(full[1], auto[1] + margin)];
  const counts = new Float64Array(BINS);
  for (const value of sorted) {
    const bin = Math.floor(((value - range[0]) / (range[1] - range[0])) * BINS);
    if (bin >= 0 && bin < BINS) counts[bin] += 1;
  }
  return { counts, range, full, auto };
}

const short = (value) => (value === 0 || (Math.abs(value) >= 0.01 && Math.abs(value) < 1e5) ? String(+value.toPrecision(4)) : value.toExponential(2));

function element(parent, tag, className, attributes = {}) {
  const made = document.createElement(tag);
  made.className = className;
  for (const [name, value] of Object.entries(attributes)) name === "text" ? (made.textContent = value) : made.setAttribute(name, value);
  parent.append(made);
  return made;
}

/** One viewer on the page. */
class View {
  constructor(root, tell) {
    this.tell = tell;
    this.limits = [0, 1];
    this.view = { x: 0, y: 0, scale: 1, fitted: true };
    this.map = "Grey";
    this.build(root);
    try {
      this.painter = new Painter(this.canvas);
      this.painter.colours(this.map);
    } catch {
      this.canvas.hidden = true;
      element(this.stage, "p", "stp3-v-fallback", { role: "alert", text: "This browser shows no WebGL2 graphics, so slices cannot be drawn. Switch on hardware acceleration, or use a current Firefox, Chrome, Edge or Safari." });
    }
    this.listen();
    this.resized = new ResizeObserver(() => this.resize());
    this.resized.observe(this.stage);
  }
  build(parent) {
    const root = (this.root = element(parent, "div", "stp3-viewer stp3", { role: "group", "aria-label": "Slice viewer", "data-frame": 0, "data-state": "idle", "data-subject": "" }));
    const head = element(root, "div", "stp3-v-head");
    this.title = element(head, "span", "stp3-v-title", { "aria-live": "polite", text: "" });
    const tools = element(head, "div", "stp3-v-tools", { role: "toolbar", "aria-label": "View" });
    const button = (text, label, act) => element(tools, "button", "stp3-v-button", { type: "button", text, "aria-label": label, title: label }).addEventListener("click", act);
    button("−", "Zoom out (−)", () => this.zoom(1 / 1.4));
    button("+", "Zoom in (+)", () => this.zoom(1.4));
    button("Fit", "Fit the picture (F, or double click)", () => this.fit());
    this.maps = element(tools, "select", "stp3-v-button", { "aria-label": "Colours", title: "Colours" });
    for (const name of Object.keys(COLOUR_MAPS)) element(this.maps, "option", "", { value: name, text: name });
    this.stage = element(root, "div", "stp3-v-stage");
    this.canvas = element(this.stage, "canvas", "stp3-v-canvas", { tabindex: 0, role: "img", "aria-label": "No picture yet" });
    this.hint = element(this.stage, "p", "stp3-v-hint", { text: "" });
    const busy = element(this.stage, "div", "stp3-v-busy", { role: "status" });
    element(busy, "div", "stp3-v-line");
    this.stageName = element(busy, "span", "stp3-v-stage-name", { text: "" });
    this.note = element(this.stage, "div", "stp3-v-note", { role: "alert", text: "" });
    this.scaleBar = element(this.stage, "div", "stp3-v-scale", { "aria-hidden": "true" });
    this.readout = element(this.stage, "div", "stp3-v-readout", { text: "" });
    this.buildHistogram(element(root, "div", "stp3-v-foot", { role: "group", "aria-label": "Grey limits" }));
  }
  buildHistogram(foot) {
    const number = (label) => element(foot, "input", "stp3-v-limit", { type: "number", step: "any", "aria-label": label, title: label });
    const low = number("Black at");
    const track = (this.track = element(foot, "div", "stp3-v-track"));
    this.bars = element(track, "canvas", "stp3-v-bars", { "aria-hidden": "true" });
    this.handles = ["Darkest value shown", "Brightest value shown"].map((label) => element(track, "div", "stp3-v-handle", { role: "slider", tabindex: 0, "aria-label": label }));
    this.numbers = [low, number("White at")];
    const button = (text, label, act) => element(foot, "button", "stp3-v-button", { type: "button", text, "aria-label": label, title: label }).addEventListener("click", act);
    button("Auto", "Automatic grey limits (A)", () => this.auto());
    button("All", "Grey limits from the lowest to the highest value", () => this.stats && this.setLimits(this.stats.full));
    this.handles.forEach((handle, end) => this.dragHandle(handle, end));
    this.numbers.forEach((field, end) => field.addEventListener("change", () => field.value !== "" && this.moveLimit(end, +field.value)));
  }
  dragHandle(handle, end) {
    const move = (event) => {
      const box = this.track.getBoundingClientRect(), [low, high] = this.stats.range;
      this.moveLimit(end, low + ((event.clientX - box.left) / box.width) * (high - low));
    };
    handle.addEventListener("pointerdown", (event) => {
      if (!this.stats) return;
      handle.setPointerCapture(event.pointerId);
      handle.addEventListener("pointermove", move);
    });
    handle.addEventListener("lostpointercapture", () => handle.removeEventListener("pointermove", move));
    handle.addEventListener("keydown", (event) => {
      const sign = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
      if (!sign || !this.stats) return;
      event.preventDefault();
      this.moveLimit(end, this.limits[end] + (sign * (this.stats.range[1] - this.stats.range[0])) / 100);
    });
  }
  listen() {
    const { canvas } = this, pointers = new Map();
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), [event.offsetX, event.offsetY]);
    }, { passive: false });
    canvas.addEventListener("dblclick", () => this.fit());
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, event);
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId), others = [...pointers.values()].filter((one) => one.pointerId !== event.pointerId);
      this.tellValue(event.offsetX, event.offsetY);
      if (!before) return;
      const dx = event.clientX - before.clientX, dy = event.clientY - before.clientY;
      pointers.set(event.pointerId, event);
      if (others.length) {
        const away = (one) => Math.hypot(one.clientX - others[0].clientX, one.clientY - others[0].clientY) || 1;
        this.zoom(away(event) / away(before), [event.offsetX, event.offsetY]);
      } else if (event.buttons === 2 || event.shiftKey) this.window(dx, dy);
      else this.pan(dx, dy);
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => pointers.delete(event.pointerId));
    canvas.addEventListener("pointerleave", () => (this.readout.textContent = ""));
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("webglcontextlost", (event) => (event.preventDefault(), (this.painter = null)));
    canvas.addEventListener("webglcontextrestored", () => {
      this.painter = new Painter(canvas);
      this.painter.colours(this.map);
      if (this.picture) this.painter.upload(this.picture);
      this.redraw();
    });
    this.maps.addEventListener("change", () => {
      this.map = this.maps.value in COLOUR_MAPS ? this.maps.value : "Grey";
      this.painter?.colours(this.map);
      this.redraw();
    });
  }
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const far = 40, act = {
      "+": () => this.zoom(1.25), "=": () => this.zoom(1.25), "-": () => this.zoom(0.8), f: () => this.fit(), a: () => this.auto(),
      ArrowLeft: () => this.pan(far, 0), ArrowRight: () => this.pan(-far, 0), ArrowUp: () => this.pan(0, far), ArrowDown: () => this.pan(0, -far),
      PageUp: () => this.tell({ kind: "step", by: -1 }), PageDown: () => this.tell({ kind: "step", by: 1 }),
    }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }
  show(picture) {
    if (this.painter && Math.max(picture.width, picture.height) > this.painter.limit)
      return this.status({ state: "error", text: `The picture has ${picture.width} × ${picture.height} pixels; this browser's graphics show ${this.painter.limit}.` });
    const same = this.picture, fresh = !same || same.subject !== picture.subject;
    this.picture = picture;
    this.stats = statistics(picture);
    this.painter?.upload(picture);
    if (fresh || same.whole.width !== picture.whole.width || same.whole.height !== picture.whole.height) this.fit();
    if (fresh) this.auto();
    this.title.textContent = this.title.title = picture.title;
    this.hint.textContent = "";
    this.redraw(() => {
      this.root.dataset.subject = picture.subject;
      this.root.dataset.frame = picture.frame;
      this.root.dataset.binning = picture.binning;
    });
  }
  clear() {
    this.picture = this.stats = this.grey = undefined;
    for (const part of [this.title, this.scaleBar, this.readout]) part.textContent = "";
    this.bars.width = 0;
    this.canvas.setAttribute("aria-label", "No picture");
    this.root.dataset.subject = "";
    this.painter?.clear();
  }
  status({ state, stage = "", text = "" }) {
    this.root.dataset.state = state;
    this.stageName.textContent = stage;
    this.note.textContent = state === "error" ? text : "";
    this.hint.textContent = this.picture || state !== "idle" ? "" : text;
  }
  auto() { if (this.stats) this.setLimits(this.stats.auto); }
  moveLimit(end, value) {
    const other = this.limits[1 - end], least = Math.abs(other) * 1e-6 + 1e-12;
    this.setLimits(end ? [other, Math.max(value, other + least)] : [Math.min(value, other - least), other]);
  }
  setLimits(limits) {
    if (!limits.every(Number.isFinite)) return;
    this.limits = [...limits];
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.tell({ kind: "limits", limits: this.limits }), 150);
    this.redraw();
  }
  window(dx, dy) {
    const width = (this.limits[1] - this.limits[0]) * Math.exp(dx * 0.006), step = (this.limits[1] - this.limits[0]) * 0.004;
    const level = (this.limits[0] + this.limits[1]) / 2 + dy * step;
    this.setLimits([level - width / 2, level + width / 2]);
  }
  fit() {
    if (!this.picture) return;
    const { width, height } = this.picture.whole, box = this.stage;
    const scale = Math.min(box.clientWidth / width, box.clientHeight / height) || 1;
    this.view = { x: width / 2, y: height / 2, scale, fitted: true };
    this.redraw();
  }
  pan(dx, dy) {
    if (!this.picture) return;
    const inside = (value, end) => Math.min(Math.max(value, 0), end), { view } = this;
    view.x = inside(view.x - dx / view.scale, this.picture.whole.width);
    view.y = inside(view.y - dy / view.scale, this.picture.whole.height);
    view.fitted = false;
    this.redraw();
  }
  zoom(factor, [x, y] = [this.stage.clientWidth / 2, this.stage.clientHeight / 2]) {
    if (!this.picture) return;
    const { view } = this, scale = Math.min(Math.max(view.scale * factor, 0.02), 80);
    const dx = x - this.stage.clientWidth / 2, dy = y - this.stage.clientHeight / 2;
    view.x += dx / view.scale - dx / scale;
    view.y += dy / view.scale - dy / scale;
    view.scale = scale;
    this.pan(0, 0);
  }
  resize() {
    const ratio = window.devicePixelRatio || 1, { canvas, stage } = this;
    canvas.width = Math.max(1, Math.round(stage.clientWidth * ratio));
    canvas.height = Math.max(1, Math.round(stage.clientHeight * ratio));
    if (this.view.fitted) this.fit();
    this.draw();
  }
  redraw(then) {
    if (then) this.after = then;
    this.planned ??= requestAnimationFrame(() => this.draw());
  }
  draw() {
    cancelAnimationFrame(this.planned);
    this.planned = undefined;
    if (!this.picture) return;
    const ratio = this.canvas.width / Math.max(this.stage.clientWidth, 1), { view, picture } = this, stride = 1 / (view.scale * ratio);
    this.painter?.paint(picture, [view.x - (this.canvas.width / 2) * stride, view.y - (this.canvas.height / 2) * stride], stride, this.limits);
    this.drawScale();
    this.tellWindow();
    const grey = [this.stats, ...this.limits, this.track.clientWidth, this.map];
    if (grey.some((part, place) => part !== this.grey?.[place])) this.drawHistogram();
    this.grey = grey;
    this.canvas.setAttribute("aria-label", `Slice ${picture.title}: ${picture.whole.width} × ${picture.whole.height} pixels, grey from ${short(this.limits[0])} to ${short(this.limits[1])} ${picture.unit}`);
    this.after?.();
    this.after = undefined;
  }
  drawScale() {
    const known = this.picture.pixel_size_um, perPixel = known ?? 1, longest = (130 / this.view.scale) * perPixel;
    const power = 10 ** Math.floor(Math.log10(longest)), length = [5, 2, 1].find((digit) => digit * power <= longest) * power;
    this.scaleBar.style.width = `${(length / perPixel) * this.view.scale}px`;
    this.scaleBar.textContent = known ? (length >= 1000 ? `${+(length / 1000).toPrecision(3)} mm` : `${+length.toPrecision(3)} µm`) : `${+length.toPrecision(3)} pixels`;
  }
  drawHistogram() {
    const { bars, stats, limits } = this, [low, high] = stats.range, ratio = window.devicePixelRatio || 1;
    const width = (bars.width = Math.round(this.track.clientWidth * ratio)), height = (bars.height = Math.round(this.track.clientHeight * ratio));
    const context = bars.getContext("2d"), tallest = Math.sqrt(Math.max(...stats.counts)) || 1;
    const ink = getComputedStyle(this.track).color;
    stats.counts.forEach((count, bin) => {
      const value = low + ((bin + 0.5) / BINS) * (high - low);
      context.globalAlpha = value >= limits[0] && value <= limits[1] ? 0.85 : 0.3;
      context.fillStyle = ink;
      const tall = (Math.sqrt(count) / tallest) * height, left = Math.floor((bin * width) / BINS);
      context.fillRect(left, height - tall, Math.ceil(((bin + 1) * width) / BINS) - left, tall);
    });
    limits.forEach((value, end) => {
      const place = Math.min(Math.max((value - low) / (high - low), 0), 1), field = this.numbers[end];
      this.handles[end].style.left = `${100 * place}%`;
      this.handles[end].setAttribute("aria-valuenow", short(value));
      this.handles[end].setAttribute("aria-valuemin", short(low));
      this.handles[end].setAttribute("aria-valuemax", short(high));
      if (document.activeElement !== field) field.value = short(value);
    });
  }
  tellWindow() {
    const { view, stage } = this, across = stage.clientWidth / view.scale / 2, down = stage.clientHeight / view.scale / 2;
    const shown = view.fitted ? null : [view.x - across, view.y - down, view.x + across, view.y + down], text = JSON.stringify(shown);
    if (text === (this.told ?? "null")) return;
    this.told = text;
    clearTimeout(this.tellingWindow);
    this.tellingWindow = setTimeout(() => this.tell({ kind: "window", window: shown }), 150);
  }
  tellValue(left, top) {
    const { picture, view } = this;
    if (!picture) return;
    const x = Math.floor(view.x + (left - this.stage.clientWidth / 2) / view.scale), y = Math.floor(view.y + (top - this.stage.clientHeight / 2) / view.scale);
    const [column, row] = stored(picture, [x + 0.5, y + 0.5]).map(Math.floor);
    if (column < 0 || row < 0 || column >= picture.width || row >= picture.height) return void (this.readout.textContent = "");
    const place = picture.pixel_size_um ? ` (${((x * picture.pixel_size_um) / 1000).toFixed(3)}, ${((y * picture.pixel_size_um) / 1000).toFixed(3)} mm)` : "";
    this.readout.textContent = `x ${x}  y ${y}${place}   ${short(picture.data[row * picture.width + column])} ${picture.unit}`;
  }
  remove() {
    clearTimeout(this.telling);
    clearTimeout(this.tellingWindow);
    this.resized.disconnect();
    cancelAnimationFrame(this.planned);
    this.painter?.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

function decode(message, buffer) {
  const [height, width] = message.shape, Kind = ARRAYS[message.dtype], view = new DataView(buffer.buffer ?? buffer, buffer.byteOffset ?? 0, buffer.byteLength);
  const aligned = view.byteOffset % Kind.BYTES_PER_ELEMENT === 0;
  const data = aligned ? new Kind(view.buffer, view.byteOffset, width * height) : new Kind(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
  const [tall, wide] = message.whole ?? message.shape;
  return { binning: 1, ...message, data, width, height, whole: { width: wide, height: tall } };
}

/** What the page knows of each viewer by its key, shared by all places that show it. */
const pages = new Map();

function initialize({ model }) {
  const page = { views: new Set(), status: { state: "idle", text: model.get("hint") } };
  const want = () => model.send({ kind: "want", have: page.frame ?? 0 });
  const take = (message, buffers) => {
    if (message.kind === "status") {
      page.status = message;
      page.views.forEach((view) => view.status(message));
    } else if (message.kind === "clear") {
      page.picture = undefined;
      page.views.forEach((view) => view.clear());
    } else if (message.kind === "frame") {
      page.picture = decode(message, buffers[0]);
      page.frame = message.frame;
      page.views.forEach((view) => view.show(page.picture));
      requestAnimationFrame(want);
    }
  };
  pages.set(model.get("key"), page);
  model.on("msg:custom", take);
  model.send({ kind: "ready" });
  want();
  return () => {
    model.off("msg:custom", take);
    pages.delete(model.get("key"));
  };
}

function render({ model, el }) {
  const page = pages.get(model.get("key")), view = new View(el, (message) => model.send(message));
  el.classList.add("stp3-v-host");
  page.views.add(view);
  view.status(page.status);
  if (page.picture) view.show(page.picture);
  return () => {
    page.views.delete(view);
    view.remove();
  };
}

export default { initialize, render };
