// The token line below the picture: tokens that can be clicked, and selected and copied as text.

// In a group, so that `split` keeps it. The joiners are needed to read some scripts.
const HIDDEN_CHARACTER = /((?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}])/u;

class TokenLine {
  /** actions: playToken(index), hover(index, event), leave(). */
  constructor(actions) {
    this.box = byId("token-line");
    this.clip = null;
    this._items = [];
    this._current = new Set();
    this._chosen = null;
    this.box.addEventListener("click", (event) => this._onToken(event, (index) => actions.playToken(index)));
    this.box.addEventListener("pointerover", (event) => {
      if (!this._onToken(event, (index) => actions.hover(index, event))) actions.leave();
    });
    this.box.addEventListener("pointerleave", () => actions.leave());
    this.box.addEventListener("copy", (event) => copySelection(event));
  }

  show(clip) {
    this.clip = clip;
    this._current.clear();
    this._chosen = null;
    this._items = [];
    this.box.replaceChildren(...clip.spans.map((span) => this._span(span)));
    this.box.removeAttribute("aria-activedescendant");
    if (!clip.spans.length)
      this.box.append(element("span", { className: "hint" }, "This line has no tokens."));
    this.box.scrollTop = 0;
  }

  /** Highlight the tokens that sound at a time. isPlaying: keep the phonetic one visible. */
  setTime(seconds, isPlaying) {
    const tokens = this.clip.lanes
      .map((_, lane) => this.clip.tokenAt(lane, seconds))
      .filter((index) => index >= 0);
    const current = new Set(tokens);
    for (const index of this._current) if (!current.has(index)) this._items[index].classList.remove("now");
    for (const index of current) if (!this._current.has(index)) this._items[index].classList.add("now");
    const hasMoved = tokens.length && !this._current.has(tokens[0]);
    this._current = current;
    if (isPlaying && hasMoved) reveal(this.box, this._items[tokens[0]]);
  }

  /** Mark the token that was chosen; null for none. */
  choose(index) {
    if (this._chosen !== null) this._items[this._chosen].setAttribute("aria-selected", "false");
    this._chosen = index;
    if (index === null) {
      this.box.removeAttribute("aria-activedescendant");
      return;
    }
    const item = this._items[index];
    item.setAttribute("aria-selected", "true");
    this.box.setAttribute("aria-activedescendant", item.id);
    reveal(this.box, item);
  }

  _span(span) {
    if (!span.tokens) {
      return element(
        "span",
        { className: "span text", role: "presentation" },
        element("span", { className: "marker" }, "[TEXT]"),
        element("bdi", {}, ...withMarks(span.text)),
      );
    }
    const made = element(
      "span",
      { className: "span", role: "presentation" },
      element("span", { className: "marker" }, "[SPEECH]"),
    );
    made.append(...span.tokens.map((token) => this._token(token)));
    return made;
  }

  _token(token) {
    const index = this._items.length;
    const item = element(
      "span",
      {
        className: `token ${this.clip.lanes[token[0]].kind}`,
        id: `token-${index}`,
        role: "option",
        "aria-selected": "false",
      },
      this.clip.spelling(token),
    );
    item.dataset.index = index;
    this._items.push(item);
    return item;
  }

  /** Call with the index of the token that an event is for; returns whether there is one. */
  _onToken(event, act) {
    const item = event.target.closest(".token");
    // A click at the end of a selection by the mouse only ends the selection.
    const isSelecting = event.type === "click" && !getSelection().isCollapsed;
    if (!item || isSelecting) return false;
    act(Number(item.dataset.index));
    return true;
  }
}

/** The parts of a text: a character that is invisible or changes the direction of text stands in an element of its own,
 *  which shows a mark before it. The character itself stays in the document, so that it is copied with the text. */
function withMarks(text) {
  return text
    .split(HIDDEN_CHARACTER)
    .map((part, index) => (index % 2 ? element("bdi", { className: "hidden-character" }, part) : part));
}

/** Copy what is selected as it stands in the line: the browser would add line breaks between boxes. */
function copySelection(event) {
  const selection = getSelection();
  if (selection.isCollapsed) return;
  event.clipboardData.setData("text/plain", selection.getRangeAt(0).cloneContents().textContent);
  event.preventDefault();
}

/** Copy text to the clipboard. Returns whether it worked: pages from a file may not use the newer interface. */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = element("textarea", { value: text, readOnly: true, className: "offscreen" });
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    return isCopied;
  }
}
