// The keyboard.

/** The keys of the page. `shown` names them in the list of keys; `keys` are values of KeyboardEvent.key. */
function keyTable(app) {
  const picture = app.picture;
  return [
    { shown: ["Space"], keys: [" "], does: "play or pause", run: () => app.toggle() },
    {
      shown: ["←", "→"],
      keys: ["ArrowLeft"],
      does: "previous or next phonetic unit",
      run: () => app.stepUnit(-1),
    },
    { keys: ["ArrowRight"], run: () => app.stepUnit(1) },
    {
      shown: ["Shift ←", "Shift →"],
      keys: ["Shift ArrowLeft"],
      does: "one second back or on",
      run: () => app.seek(app.time - 1),
    },
    { keys: ["Shift ArrowRight"], run: () => app.seek(app.time + 1) },
    { shown: ["Home", "End"], keys: ["Home"], does: "start or end of the clip", run: () => app.seek(0) },
    { keys: ["End"], run: () => app.seek(app.clip.seconds) },
    { shown: ["[", "]"], keys: ["["], does: "play the previous or next token", run: () => app.stepToken(-1) },
    { keys: ["]"], run: () => app.stepToken(1) },
    {
      shown: ["Enter"],
      keys: ["Enter"],
      does: "play the place found, or the token chosen",
      run: () => playChosen(app),
    },
    {
      shown: ["o", "r"],
      keys: ["o"],
      does: "original or resynthesis",
      run: () => app.chooseSound("original"),
    },
    { keys: ["r"], run: () => app.chooseSound("resynthesis") },
    { shown: ["l"], keys: ["l"], does: "loop", run: () => app.toggleLoop() },
    {
      shown: ["+", "−", "0"],
      keys: ["+", "="],
      does: "zoom in, out, whole clip",
      run: () => picture.zoom(1.5),
    },
    { keys: ["-", "−"], run: () => picture.zoom(1 / 1.5) },
    { keys: ["0"], run: () => picture.fit() },
    { shown: ["/"], keys: ["/"], does: "search", run: () => byId("query").select() },
    { shown: ["n", "N"], keys: ["n"], does: "next or previous place found", run: () => app.search.step(1) },
    { keys: ["N"], run: () => app.search.step(-1) },
    {
      shown: ["↑", "↓"],
      keys: ["ArrowUp"],
      does: "previous or next clip, or place in the list of places",
      run: (event) => stepList(app, event, -1),
    },
    { keys: ["ArrowDown"], run: (event) => stepList(app, event, 1) },
    {
      shown: ["Esc"],
      keys: ["Escape"],
      does: "clear the selection, then the search",
      run: () => app.escape(),
    },
    { shown: ["t"], keys: ["t"], does: "light or dark", run: () => switchTheme(app) },
    { shown: ["?"], keys: ["?"], does: "this list", run: () => byId("keys").showModal() },
  ];
}

function playChosen(app) {
  const isInTokens = document.activeElement === byId("token-line");
  if (!isInTokens && app.search.playCurrent()) return true;
  if (app.chosen === null) return false;
  app.playToken(app.chosen);
  return true;
}

function stepList(app, event, by) {
  if (event.target === byId("places")) app.search.step(by);
  else if (app.clips.length > 1) app.list.step(app.clip.index, by);
  else return false;
  return true;
}

/** Run what a key stands for, unless it is for the control that has the focus. */
function onKey(event, keys) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("keys").open) return;
  const isTyping = event.target.matches("input, textarea");
  const isButton = event.target.matches("button") && [" ", "Enter"].includes(event.key);
  if (isButton || (isTyping && event.key !== "Escape")) return;
  const name = event.shiftKey && event.key.length > 1 ? `Shift ${event.key}` : event.key;
  const run = keys.get(name);
  // `false` says that the key has no use now, so that the browser may use it.
  if (run && run(event) !== false) event.preventDefault();
}

function listenToKeys(app) {
  const table = keyTable(app);
  const keys = new Map(table.flatMap(({ keys, run }) => keys.map((key) => [key, run])));
  document.addEventListener("keydown", (event) => onKey(event, keys));
  for (const { shown, does } of table.filter((row) => row.shown)) {
    const names = shown.flatMap((key, index) => [...(index ? [" "] : []), element("kbd", {}, key)]);
    byId("key-list").append(element("dt", {}, ...names), element("dd", {}, does));
  }
}
