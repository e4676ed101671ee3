// A strip of small pictures, one of which is chosen: click, arrow keys, Home, End.
//
// The trait `content`: {number, label, films: [{caption, detail}], chosen, stale}. From the kernel: {kind: "film",
// number, place, shape: [rows, columns]} and one buffer of grey bytes. To the kernel: {kind: "ready"} once a view, {kind:
// "choose", number, place}. The root element says what is shown: data-number, data-drawn (how many pictures), data-chosen.

const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -Infinity, End: Infinity };

function element(parent, tag, className, attributes = {}) {
  const made = document.createElement(tag);
  made.className = className;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  parent.append(made);
  return made;
}

class Strip {
  constructor(parent, tell) {
    this.tell = tell;
    this.pictures = new Map();
    this.films = [];
    this.root = element(parent, "div", "stp3-films", { role: "listbox", "aria-orientation": "horizontal" });
    this.root.addEventListener("keydown", (event) => this.key(event));
  }
  arrange(content) {
    const films = content.films ?? [], same = content.number === this.content?.number && films.length === this.films.length;
    this.content = content;
    for (const name of this.pictures.keys()) if (+name.split(":")[0] < content.number) this.pictures.delete(name);
    if (!same) this.build(films);
    films.forEach((film, place) => this.mark(this.films[place], film, place));
    this.root.setAttribute("aria-label", content.label ?? "");
    Object.assign(this.root.dataset, { number: content.number, chosen: content.chosen, stale: Boolean(content.stale) });
    if (content.chosen !== this.shown) this.films[content.chosen]?.root.scrollIntoView({ block: "nearest", inline: "nearest" });
    this.shown = content.chosen;
  }
  build(films) {
    this.root.replaceChildren();
    this.shown = undefined;
    this.root.dataset.drawn = 0;
    this.films = films.map((_, place) => {
      const root = element(this.root, "div", "stp3-film", { role: "option" });
      const made = { root, canvas: element(root, "canvas", "stp3-film-picture"), caption: element(root, "b", "stp3-film-caption"), detail: element(root, "span", "stp3-film-detail") };
      root.addEventListener("click", () => this.choose(place));
      return made;
    });
    films.forEach((_, place) => this.draw(place));
  }
  mark(made, { caption, detail }, place) {
    const chosen = place === this.content.chosen, first = this.content.chosen < 0 && place === 0;
    made.caption.textContent = caption;
    made.detail.textContent = detail;
    made.detail.title = detail;
    made.root.setAttribute("aria-selected", chosen);
    made.root.tabIndex = chosen || first ? 0 : -1;
  }
  take({ number, place, shape }, buffer) {
    const bytes = new Uint8Array(buffer.buffer ?? buffer, buffer.byteOffset ?? 0, buffer.byteLength);
    this.pictures.set(`${number}:${place}`, { bytes, height: shape[0], width: shape[1] });
    this.draw(place);
  }
  draw(place) {
    const picture = this.pictures.get(`${this.content.number}:${place}`), canvas = this.films[place]?.canvas;
    if (!picture || !canvas) return;
    const { width, height, bytes } = picture, image = new ImageData(width, height);
    new Uint32Array(image.data.buffer).forEach((_, pixel, words) => (words[pixel] = 0xff000000 | (bytes[pixel] * 0x010101)));
    canvas.width = width;
    canvas.height = height;
    canvas.getContext("2d").putImageData(image, 0, 0);
    canvas.dataset.drawn = true;
    this.root.dataset.drawn = this.films.filter((film) => film.canvas.dataset.drawn).length;
  }
  choose(place) {
    this.films[place].root.focus();
    this.tell({ kind: "choose", number: this.content.number, place });
  }
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const here = this.films.findIndex((film) => film.root === document.activeElement), by = STEPS[event.key];
    const choose = event.key === "Enter" || event.key === " ";
    if (here < 0 || !(by || choose)) return;
    event.preventDefault();
    const place = choose ? here : Math.min(Math.max(here + by, 0), this.films.length - 1);
    if (choose || place !== here) this.choose(place);
  }
}

function render({ model, el }) {
  const strip = new Strip(el, (message) => model.send(message));
  const arrange = () => strip.arrange(model.get("content")), take = (message, buffers) => strip.take(message, buffers[0]);
  model.on("change:content", arrange);
  model.on("msg:custom", take);
  arrange();
  model.send({ kind: "ready" });
  return () => {
    model.off("change:content", arrange);
    model.off("msg:custom", take);
  };
}

export default { render };
