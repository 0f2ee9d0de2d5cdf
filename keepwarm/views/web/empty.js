/** Nothing yet: what to do next. */
import { copyable, h } from "./dom.js";

export function empty(live) {
  const url = live?.gateway?.url || location.origin;
  return h("div.empty",
    h("h1", "No requests yet"),
    h("p", "The gateway runs and waits at ", h("code", url), ". Point an agent at it, in another terminal:"),
    h("h3", "Claude Code"),
    copyable("keepwarm run claude"),
    copyable(`ANTHROPIC_BASE_URL=${url} ANTHROPIC_API_KEY=dummy claude`),
    h("h3", "Agents that speak OpenAI's chat completions (OpenCode, Qwen Code, Cline, pi, aider)"),
    copyable(`OPENAI_BASE_URL=${url}/v1 OPENAI_API_KEY=dummy`),
    h("p", "Its first request shows here within a second. ", h("code", "keepwarm doctor"), " looks at the server and the settings before that."));
}
