"""What a server's log says: lines of a real llama.cpp, in pieces, out of order, and of other makes."""

from __future__ import annotations

from keepwarm.checks.server_log import LogReader
from keepwarm.checks.trial import ARMS, ArmLog, LogStory

ON, OFF = ARMS[0], ARMS[1]
LINE = "x-anthropic-billing-header: cc_version=2.1.114.abc; cch=0d0d0;"
REUSED = """\
slot   operator(): id  3 | task 8 | new prompt, n_ctx_slot = 65536, n_keep = 0, task.n_tokens = 5000
slot   operator(): id  3 | task 8 | cached n_tokens = 344, memory_seq_rm [344, end)
slot   operator(): id  3 | task 8 | cached n_tokens = 2392, memory_seq_rm [2392, end)
slot print_timing: id  3 | task 8 | prompt eval time =       1.30 ms /     4656 tokens (    0.16 ms per token)
slot   operator(): id  3 | task 8 | forcing full prompt re-processing due to lack of cache data
"""


def dump(session: str, line: str = "") -> str:
    """What llama.cpp says of a slot that it gives to another task."""
    return f'slot launch_slot_: id  3 | task -1 | launching slot : {{"id":3,"prompt":"{line}\\nSession {session}."}}\n'


def arm(story: LogStory, place: int) -> ArmLog:
    """What is told of an arm."""
    return story.arms[place]


def test_reuse_counts_for_the_session_that_plays_and_once_a_prompt() -> None:
    reader = LogReader()
    reader.take("before anything is played: " + REUSED)
    reader.begin(OFF, "aaa")
    for piece in (REUSED[:70], REUSED[70:301], REUSED[301:]):
        reader.take(piece)
    told = arm(reader.story("log", "llama.cpp"), 1)
    assert (told.asked, told.reused, told.processed, told.forced) == (5000, 344, 4656, 1)
    assert arm(reader.story("log", "llama.cpp"), 0) == ArmLog(ON)


def test_the_words_of_older_versions() -> None:
    reader = LogReader()
    reader.begin(ON, "aaa")
    reader.take("slot update_slots: id  0 | task 1 | new prompt, n_ctx_slot = 4096, n_keep = 0, n_prompt_tokens = 60\n")
    reader.take("slot update_slots: id  0 | task 1 | kv cache rm [44, end)\n")
    told = arm(reader.story("log", "llama.cpp"), 0)
    assert (told.asked, told.reused) == (60, 44)


def test_a_prompt_counts_for_its_own_session_wherever_it_stands() -> None:
    reader = LogReader()
    reader.begin(ON, "aaa")
    reader.begin(OFF, "bbb")
    reader.take(dump("aaa", LINE) + dump("bbb") + dump("the probe's", LINE))
    story = reader.story("log", "llama.cpp")
    assert [(one.prompts, one.header_lines) for one in story.arms[:2]] == [(1, 1), (1, 0)]
    assert story.note == ""


def test_a_header_without_its_session_counts_for_who_plays() -> None:
    reader = LogReader()
    reader.begin(ON, "aaa")
    reader.take(f"DEBUG Request chatcmpl-1 details: prompt: '{LINE}")  # cut off by --max-log-len, no line break
    assert arm(reader.story("log", "vLLM"), 0).header_lines == 1


def test_a_log_that_says_nothing_tells_what_would() -> None:
    reader = LogReader()
    reader.begin(ON, "aaa")
    assert "did not change" in reader.story("log", "llama.cpp").note
    reader.take(REUSED)
    assert reader.story("log", "llama.cpp").note.endswith("llama-server ... --verbose --log-file FILE")
    assert "--enable-log-requests" in reader.story("log", "vLLM").note
    assert "log requests" in reader.story("log", "").note
