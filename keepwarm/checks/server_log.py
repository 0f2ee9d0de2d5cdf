"""What a model server's log says of the experiment of `keepwarm verify`: a text that comes in pieces, read by line.

Each session of the experiment has words of its own (its id, at the head of its prompts). So a line of the log that
holds a prompt tells whose it is wherever it stands; all else counts for the session that was playing. What llama.cpp
says of reuse, seen on xllamacpp 2026.10 (the second line from verbosity 4 on) and, after "or", in its older sources:

    slot   operator(): id  3 | task 8 | new prompt, n_ctx_slot = 65536, n_keep = 0, task.n_tokens = 352
    slot   operator(): id  3 | task 8 | cached n_tokens = 344, memory_seq_rm [344, end)    or: kv cache rm [344, end)
    slot print_timing: id  3 | task 8 | prompt eval time =       1.30 ms /     8 tokens
    slot   operator(): id  3 | task 8 | forcing full prompt re-processing due to lack of cache data

With LLAMA_SERVER_SLOTS_DEBUG=1 and verbosity 5 it tells the prompt that a slot has held *until then* when it gives the
slot to another task; llama-server (not the library) tells each request's body when it is started with --verbose.
"""

from __future__ import annotations

import re
from typing import Final

from keepwarm.checks.trial import ARMS, Arm, ArmLog, LogStory

LINE: Final = "x-anthropic-billing-header:"
_SLOT_DUMP: Final = "launching slot"
_TASK: Final = re.compile(r"\| task (\d+) \|")
_NEW: Final = re.compile(r"new prompt, .*?(?:task\.n_tokens|n_prompt_tokens) = (\d+)")
_KEPT: Final = re.compile(r"cached n_tokens = (\d+)|memory_seq_rm \[(\d+), end\)|kv cache rm \[(\d+), end\)")
_DONE: Final = re.compile(r"prompt eval time =.*?/ +(\d+) tokens")
_FORCED: Final = "forcing full prompt re-processing"
_FLAGS: Final = {
    "llama.cpp": "llama-server ... --verbose --log-file FILE",
    "vLLM": "VLLM_LOGGING_LEVEL=DEBUG vllm serve ... --enable-log-requests > FILE 2>&1",
    "SGLang": "python -m sglang.launch_server ... --log-requests --log-requests-level 3 > FILE 2>&1",
    "Ollama": "OLLAMA_DEBUG=1 ollama serve > FILE 2>&1",
}
"""What has a server write prompts into its log, by its make (vLLM 0.16, SGLang 0.5 and Ollama from their sources)."""


class LogReader:
    """Takes the log's text as it comes; nothing of it is kept but counts."""

    def __init__(self) -> None:
        self._counts = {arm: dict.fromkeys(ArmLog.__struct_fields__[1:], 0) for arm in ARMS}
        self._sessions: dict[str, Arm] = {}
        self._now: Arm | None = None
        self._rest = ""
        self._new_tasks: set[str] = set()
        self.grew = False
        """Whether there was any text while a session played, or after."""

    def begin(self, arm: Arm, session: str) -> None:
        """A session of an arm begins; its prompts hold the word `session`."""
        self._sessions[session] = arm
        self._now = arm

    def take(self, text: str) -> None:
        """More of the log."""
        if self._now is None or not text:
            return
        self.grew = True
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._read(line, self._now)

    def story(self, of: str, make: str) -> LogStory:
        """What was said. `make` is the server's: "llama.cpp", "vLLM" ..."""
        self.take("\n" if self._rest else "")
        rows = tuple(ArmLog(arm, **counts) for arm, counts in self._counts.items())
        flag = _FLAGS.get(make, "the flag that has it log requests")
        note = ""
        if not self.grew:
            note = f"It did not change while this ran: is it this server's? Start it with  {flag}"
        elif not any(one.prompts or one.header_lines for one in rows):
            note = f"It holds no prompts: start the server with  {flag}"
        return LogStory(of, rows, note)

    def _read(self, line: str, now: Arm) -> None:
        whose = next((arm for session, arm in self._sessions.items() if session in line), None)
        counts = self._counts[whose or now]
        # A slot's dump is of what was there before: without a session's word it is none of the experiment's.
        if whose is not None or _SLOT_DUMP not in line:
            counts["prompts"] += whose is not None
            counts["header_lines"] += LINE in line
        if whose is None:
            self._read_reuse(line, counts)

    def _read_reuse(self, line: str, counts: dict[str, int]) -> None:
        task = _TASK.search(line)
        name = task[1] if task is not None else ""
        if found := _NEW.search(line):
            counts["asked"] += int(found[1])
            self._new_tasks.add(name)
        elif name in self._new_tasks and (found := _KEPT.search(line)):  # it is said again with each batch
            counts["reused"] += int(next(group for group in found.groups() if group is not None))
            self._new_tasks.discard(name)
        elif found := _DONE.search(line):
            counts["processed"] += int(found[1])
        counts["forced"] += _FORCED in line
