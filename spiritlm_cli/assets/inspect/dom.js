// Helpers for elements and for text.

const byId = (id) => document.getElementById(id);

/** Make an element. Children are elements or text; data never becomes markup. */
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

/** Text for a place where it is shown on one line: characters that are invisible or change the direction of text
 *  are shown as �, so that an id can't look like another one. */
function visible(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu, "�");
}

/** Text for a place where it is read: characters that change the direction of text are shown as �. */
function readable(text) {
  return text.replace(/[\u202a-\u202e\u2066-\u2069]/g, "�");
}

function shorten(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

/** Minutes and seconds: 1:05.42. */
function formatTime(seconds) {
  const hundredths = Math.round(Math.max(seconds, 0) * 100);
  const minutes = Math.floor(hundredths / 6000);
  return `${minutes}:${((hundredths % 6000) / 100).toFixed(2).padStart(5, "0")}`;
}

function plural(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** Index of the last of the ascending `values` that is at most `value`; -1 if there is none. */
function lastAtMost(values, value) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** Scroll a box so that an item in it is visible, without scrolling the page. */
function reveal(box, item) {
  const outer = box.getBoundingClientRect();
  const inner = item.getBoundingClientRect();
  if (inner.top < outer.top) box.scrollTop += inner.top - outer.top - 8;
  else if (inner.bottom > outer.bottom) box.scrollTop += inner.bottom - outer.bottom + 8;
}
