"""Which of the server's reasons explains a loss. The specs of SRV001 to SRV007 hold the table."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from keepwarm.ledger.server_side import NEAR, Loss, Server, server_cause

LOSS = Loss(actual=11, prompt_tokens=2673, before=2532, answer=104, appended=True, seated=True)
FULL = Server(memory="full", context=32_768)
COUNTS = st.none() | st.integers(0, 1 << 20)
LOSSES = st.builds(
    Loss,
    actual=COUNTS,
    prompt_tokens=COUNTS,
    before=COUNTS,
    answer=COUNTS,
    appended=st.booleans(),
    seated=st.booleans(),
    handed_over=st.booleans(),
)
SERVERS = st.builds(
    Server,
    memory=st.sampled_from(("", "full", "swa", "hybrid", "recurrent")),
    context=COUNTS,
    reported=st.booleans(),
    newborn=st.booleans(),
)


@given(LOSSES, SERVERS)
def test_there_is_always_one_reason(loss: Loss, server: Server) -> None:
    code = server_cause(loss, server)
    assert code in {f"SRV00{number}" for number in range(1, 8)}
    assert (code == "SRV006") == (loss.actual is None)


@given(LOSSES, SERVERS)
def test_a_cache_of_every_token_is_never_said_to_be_unable_to_go_back(loss: Loss, server: Server) -> None:
    assert server_cause(loss, replace(server, memory="full")) != "SRV002"


@given(LOSSES, SERVERS)
def test_what_no_other_conversation_has_used_is_not_called_evicted(loss: Loss, server: Server) -> None:
    for other in (replace(loss, handed_over=False), replace(loss, seated=False)):
        assert server_cause(other, server) != "SRV005"


def test_the_order_of_the_reasons() -> None:
    loss = replace(LOSS, handed_over=True, actual=0)
    server = Server(memory="hybrid", context=2600, reported=False, newborn=True)
    assert server_cause(replace(loss, actual=None), server) == "SRV006"
    assert server_cause(loss, server) == "SRV007"
    server = replace(server, reported=True)
    assert server_cause(loss, server) == "SRV004"
    assert server_cause(replace(loss, actual=900), replace(server, newborn=False, restarted=True)) == "SRV004"
    server = replace(server, newborn=False)
    assert server_cause(loss, server) == "SRV003"
    server = replace(server, context=None)
    assert server_cause(loss, server) == "SRV005"
    assert server_cause(replace(loss, handed_over=False), server) == "SRV002"
    assert server_cause(replace(loss, handed_over=False), FULL) == "SRV001"


def test_a_few_tokens_in_front_of_the_prompts_end_are_its_last_checkpoint() -> None:
    back = replace(LOSS, handed_over=True)
    swa = replace(FULL, memory="swa")
    assert back.before is not None
    assert server_cause(replace(back, actual=back.before - NEAR), swa) == "SRV002"
    assert server_cause(replace(back, actual=back.before - NEAR - 1), swa) == "SRV005"


def test_a_retry_is_no_prompt_that_was_cut() -> None:
    assert server_cause(replace(LOSS, prompt_tokens=LOSS.before), FULL) == "SRV001"
    assert server_cause(replace(LOSS, prompt_tokens=(LOSS.before or 0) - 1), FULL) == "SRV003"
