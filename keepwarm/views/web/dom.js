/** Elements by hand: h("div.row", {title: "x"}, "text", child). Text is always text, never markup. */
export function h(what, ...rest) {
  const [name, ...classes] = what.split(".");
  const element = document.createElement(name || "div");
  if (classes.length) element.className = classes.join(" ");
  let first = rest[0];
  if (first && first.constructor === Object) {
    rest.shift();
    for (const [key, value] of Object.entries(first)) put(element, key, value);
  }
  add(element, rest);
  return element;
}

function put(element, key, value) {
  if (value === undefined || value === null || value === false) return;
  if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
  else if (key === "style") for (const [name, said] of Object.entries(value)) element.style.setProperty(name, said);
  else if (key === "data") Object.assign(element.dataset, value);
  else if (key === "class") element.classList.add(...String(value).split(" ").filter(Boolean));
  else element.setAttribute(key, value === true ? "" : String(value));
}

function add(element, children) {
  for (const child of children) {
    if (child === undefined || child === null || child === false) continue;
    if (Array.isArray(child)) add(element, child);
    else element.append(child);
  }
}

/** The element's children anew. */
export function fill(element, ...children) {
  element.replaceChildren();
  add(element, children);
  return element;
}

/** Calls `run` at most once a frame, however often it is asked for. */
export function eachFrame(run) {
  let asked = 0;
  return () => {
    if (asked) return;
    asked = requestAnimationFrame(() => {
      asked = 0;
      run();
    });
  };
}

/**
 * Calls `run` soon after it is asked for and once more a while later: the ledger writes down what has just been told a
 * moment after it was told. `stop` on the function takes that back.
 */
export function soonAndAgain(run, soon = 250, again = 2000) {
  let first = 0, second = 0;
  const ask = () => {
    first ||= setTimeout(() => ((first = 0), run()), soon);
    clearTimeout(second);
    second = setTimeout(run, again);
  };
  ask.stop = () => [first, second].forEach(clearTimeout);
  return ask;
}

/** A line that can be copied. */
export function copyable(line) {
  const button = h("button.plain", { type: "button", "aria-label": `Copy: ${line}` }, "copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(line);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(button.previousSibling);
      button.textContent = "selected";
    }
    setTimeout(() => (button.textContent = "copy"), 1500);
  });
  return h("div.line", h("code", line), button);
}
