// The list of clips at the side.

class ClipList {
  /** onChoose: called with the index of a clip. */
  constructor(clips, onChoose) {
    this.clips = clips;
    this.onChoose = onChoose;
    this.list = byId("clip-list");
    this.items = clips.map((clip) => this._item(clip));
    this.list.replaceChildren(...this.items);
    this._countShown();
    byId("filter").addEventListener("input", () => this._filter());
    this.list.addEventListener("click", (event) => {
      const item = event.target.closest("[data-clip-index]");
      if (item) onChoose(Number(item.dataset.clipIndex));
    });
  }

  mark(index) {
    this.list.querySelector("[aria-selected=true]")?.setAttribute("aria-selected", "false");
    const item = this.items[index];
    item.setAttribute("aria-selected", "true");
    this.list.setAttribute("aria-activedescendant", item.id);
    if (!byId("clips").hidden) reveal(this.list, item);
  }

  /** Choose the next clip (1) or the one before (-1) of those that are listed. */
  step(from, by) {
    for (let index = from + by; index >= 0 && index < this.items.length; index += by) {
      if (!this.items[index].hidden) {
        this.onChoose(index);
        return;
      }
    }
  }

  _item(clip) {
    const size = `${clip.seconds.toFixed(1)} s · ${plural(clip.tokens.length, "token")}`;
    const item = element(
      "li",
      {
        id: `clip-${clip.index}`,
        role: "option",
        "aria-selected": "false",
        title: shorten(visible(clip.id), 500),
      },
      element("span", { className: "clip-name" }, element("bdi", {}, shorten(visible(clip.id), 200))),
      element("span", { className: "when" }, size),
    );
    item.dataset.clipIndex = clip.index;
    return item;
  }

  _filter() {
    const wanted = byId("filter").value.trim().toLowerCase();
    for (const [index, item] of this.items.entries())
      item.hidden = !this.clips[index].id.toLowerCase().includes(wanted);
    this._countShown();
  }

  _countShown() {
    const shown = this.items.filter((item) => !item.hidden).length;
    const all = plural(this.clips.length, "clip");
    byId("clips-title").textContent = shown === this.clips.length ? all : `${shown} of ${all}`;
  }
}
