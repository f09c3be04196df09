// Search: all places of a unit or of a word, in all clips.

const MAX_PLACES = 500; // that are listed; all are counted

/** The units that a query asks for: { kinds, id }; null if it is a word. */
function parseUnit(query) {
  const match = /^\[?(hu|pi|st)?(\d{1,18})\]?$/i.exec(query);
  if (!match) return null;
  const kinds = Object.keys(STREAMS).filter(
    (kind) => !match[1] || kind.toLowerCase() === match[1].toLowerCase(),
  );
  return { kinds, id: Number(match[2]) };
}

/** All places of a query: { clip, start, end, before, found, after } and `lane` and `run` of a unit, or `word`. */
function findPlaces(clips, query) {
  const wanted = query.trim();
  if (!wanted) return [];
  const unit = parseUnit(wanted);
  return clips.flatMap((clip) =>
    unit
      ? findUnit(clip, unit)
      : [...findWords(clip, wanted.toLowerCase()), ...findTexts(clip, wanted.toLowerCase())],
  );
}

function findUnit(clip, { kinds, id }) {
  const places = [];
  clip.lanes.forEach((lane, index) => {
    if (!kinds.includes(lane.kind)) return;
    lane.ids.forEach((other, run) => {
      if (other === id) places.push(unitPlace(clip, index, run));
    });
  });
  return places;
}

function unitPlace(clip, index, run) {
  const lane = clip.lanes[index];
  const spell = (ids) => ids.map((id) => `[${lane.kind}${id}]`).join("");
  return {
    clip,
    lane: index,
    run,
    start: lane.starts[run],
    end: lane.ends[run],
    before: spell(lane.ids.slice(Math.max(run - 2, 0), run)),
    found: spell([lane.ids[run]]),
    after: spell(lane.ids.slice(run + 1, run + 3)),
  };
}

function findWords(clip, wanted) {
  const { words } = clip;
  const say = (some) => some.map(({ word }) => word).join(" ");
  return words.flatMap(({ word, start, end }, index) =>
    word.toLowerCase().includes(wanted)
      ? [
          {
            clip,
            word: index,
            start,
            end,
            before: `${say(words.slice(Math.max(index - 3, 0), index))} `,
            found: word,
            after: ` ${say(words.slice(index + 1, index + 4))}`,
          },
        ]
      : [],
  );
}

/** Places in text spans, which take no time. */
function findTexts(clip, wanted) {
  return clip.texts.flatMap(({ text, seconds }) => {
    const at = text.toLowerCase().indexOf(wanted);
    if (at < 0) return [];
    const end = at + wanted.length;
    return [
      {
        clip,
        start: seconds,
        end: seconds,
        before: text.slice(Math.max(at - 20, 0), at),
        found: text.slice(at, end),
        after: text.slice(end, end + 40),
      },
    ];
  });
}

/** The search box and the list of places. */
class Search {
  /** actions: show(place), play(place), onChange(isActive). */
  constructor(clips, actions) {
    this.clips = clips;
    this.actions = actions;
    this.places = [];
    this.current = -1;
    this.list = byId("places");
    byId("query").addEventListener("input", () => this.run());
    byId("search").addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.places.length) return;
      this.list.focus();
      this.step(this.current < 0 ? 1 : 0);
    });
    byId("clear-search").addEventListener("click", () => this.clear());
    this.list.addEventListener("click", (event) => {
      const item = event.target.closest("[data-place]");
      if (item) this._choose(Number(item.dataset.place), true);
    });
  }

  get isActive() {
    return byId("query").value.trim() !== "";
  }

  run() {
    this.places = findPlaces(this.clips, byId("query").value);
    this.current = -1;
    byId("results").hidden = !this.isActive;
    byId("results-title").textContent = this._title();
    byId("results-hint").hidden = !this.places.length;
    this.list.replaceChildren(
      ...this.places.slice(0, MAX_PLACES).map((place, index) => this._item(place, index)),
    );
    this.list.removeAttribute("aria-activedescendant");
    this.list.hidden = !this.places.length;
    this.actions.onChange(this.isActive);
  }

  clear() {
    byId("query").value = "";
    this.run();
  }

  /** Go to the next place (1), the one before (-1), or again to this one (0), around the ends. */
  step(by) {
    const listed = Math.min(this.places.length, MAX_PLACES);
    if (!listed) return;
    const from = this.current < 0 && by < 0 ? 0 : this.current;
    this._choose((from + by + listed) % listed, false);
  }

  playCurrent() {
    if (this.current < 0) return false;
    this.actions.play(this.places[this.current]);
    return true;
  }

  _choose(index, play) {
    this.list.querySelector("[aria-selected=true]")?.setAttribute("aria-selected", "false");
    this.current = index;
    const item = this.list.children[index];
    item.setAttribute("aria-selected", "true");
    this.list.setAttribute("aria-activedescendant", item.id);
    reveal(this.list, item);
    if (play) this.actions.play(this.places[index]);
    else this.actions.show(this.places[index]);
  }

  _title() {
    const { length } = this.places;
    if (!length) return "Not found";
    const clips = new Set(this.places.map(({ clip }) => clip)).size;
    const where = this.clips.length > 1 ? ` in ${plural(clips, "clip")}` : "";
    return plural(length, "place") + where + (length > MAX_PLACES ? `, the first ${MAX_PLACES} listed` : "");
  }

  _item(place, index) {
    const context = element(
      "span",
      { className: "context", dir: "auto" },
      visible(place.before),
      element("mark", {}, visible(shorten(place.found, 100))),
      visible(place.after),
    );
    const clip = element(
      "span",
      { className: "clip-name" },
      element("bdi", {}, shorten(visible(place.clip.id), 60)),
    );
    const item = element("li", { id: `place-${index}`, role: "option", "aria-selected": "false" });
    item.append(
      ...(this.clips.length > 1 ? [clip] : []),
      element("span", { className: "when" }, formatTime(place.start)),
      context,
    );
    item.dataset.place = index;
    return item;
  }
}
