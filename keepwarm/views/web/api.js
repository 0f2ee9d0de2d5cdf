/** The gateway's JSON API and its stream of events. */
export class ApiError extends Error {}

/** The parsed answer; undefined values are left out of the query. ApiError with the gateway's own words. */
export async function get(path, query = {}, signal = undefined) {
  const asked = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") asked.set(key, value);
  }
  const said = String(asked);
  let response;
  try {
    response = await fetch(`/api/${path}${said ? `?${said}` : ""}`, { signal, headers: { accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The gateway does not answer. Is `keepwarm serve` running?");
  }
  if (!response.ok) throw new ApiError(await refusal(response));
  return response.json();
}

async function refusal(response) {
  const text = await response.text();
  try {
    const { error } = JSON.parse(text);
    return typeof error === "string" ? error : [error.message, error.remedy].filter(Boolean).join(": ");
  } catch {
    return text.slice(0, 300) || `The gateway answered ${response.status}`;
  }
}

const KINDS = ["record", "amended", "progress", "live", "alert"];

/**
 * Events as they come. hear(kind, data) gets each; tell(state, seconds) gets "connecting", "live" or "lost".
 * The browser comes back by itself while the connection only breaks; where it gives up, we try again.
 */
export function listen(hear, tell) {
  let source, timer, wait;
  let tries = 0;
  const open = () => {
    clearTimeout(timer);
    source = new EventSource("/api/events");
    source.addEventListener("open", () => {
      const back = tries > 0;
      tries = 0;
      tell("live");
      if (back) hear("back", null);
    });
    source.addEventListener("error", () => {
      source.close();
      wait = Math.min(10, 2 ** tries++);
      tell("lost", wait);
      timer = setTimeout(open, wait * 1000);
    });
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => hear(kind, JSON.parse(event.data)));
    }
  };
  tell("connecting");
  open();
  addEventListener("online", () => source.readyState === EventSource.CLOSED && open());
  addEventListener("pagehide", () => source.close());
  // A page that comes out of the browser's back cache has lost its stream.
  addEventListener("pageshow", (event) => event.persisted && open());
}
