// The buttons, and the start of the page.

const SPEEDS = [0.5, 0.75, 1];

/** Change to the other theme than the one that is shown. */
function switchTheme(app) {
  const root = document.documentElement;
  const isDark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  app.picture.setTheme();
}

function listenToButtons(app) {
  const actions = {
    play: () => app.toggle(),
    loop: () => app.toggleLoop(),
    "sound-original": () => app.chooseSound("original"),
    "sound-resynthesis": () => app.chooseSound("resynthesis"),
    "zoom-in": () => app.picture.zoom(1.5),
    "zoom-out": () => app.picture.zoom(1 / 1.5),
    "zoom-fit": () => app.picture.fit(),
    theme: () => switchTheme(app),
    help: () => byId("keys").showModal(),
    "close-keys": () => byId("keys").close(),
    copy: () => copyLine(app),
  };
  for (const [id, action] of Object.entries(actions)) byId(id).addEventListener("click", action);
  for (const speed of SPEEDS) {
    const button = element(
      "button",
      { type: "button", "aria-pressed": String(speed === 1), title: "Speed, at the same pitch" },
      `${speed}×`,
    );
    button.dataset.speed = speed;
    button.addEventListener("click", () => app.setSpeed(speed));
    byId("speeds").append(button);
  }
  // A click on what is no text field takes the focus from all, so that the keys go on to play and search.
  document.addEventListener("mousedown", (event) => {
    if (!event.target.closest("button, #scroller")) return;
    event.preventDefault();
    document.activeElement?.blur();
  });
}

async function copyLine(app) {
  const isCopied = await copyText(app.clip.line);
  byId("copy").textContent = isCopied ? "Copied" : "Can't copy";
  setTimeout(() => (byId("copy").textContent = "Copy"), 1500);
}

function start() {
  const clips = readClips();
  if (!clips.length) {
    byId("layout").replaceChildren(element("p", { className: "notice" }, "There are no clips in this page."));
    return;
  }
  const app = new App(clips);
  listenToButtons(app);
  listenToKeys(app);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => app.picture.setTheme());
  app.show(0);
}

start();
