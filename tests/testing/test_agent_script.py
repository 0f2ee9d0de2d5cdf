"""The planned model answers by the place in the conversation, whichever way the request came."""

from __future__ import annotations

import json

from keepwarm.testing.agent_script import AGENT_LINE, TITLE_LINE, AgentScript, kind_of, plan_session, request_count
from keepwarm.testing.agent_session import AgentSession
from keepwarm.testing.plain_chat import to_chat


def test_the_model_answers_by_the_place_so_a_retry_gets_the_same() -> None:
    plan = plan_session()
    script = AgentScript(plan)
    session = AgentSession(plan)
    session.next_request()
    request = session.next_request()
    assert request is not None
    body = json.loads(to_chat(request.body))
    assert kind_of(body) == "main"
    assert script(body) == script(body) == plan.answers["main"][0]


def test_a_conversation_is_told_by_its_first_words_wherever_they_stand() -> None:
    quoted = {"role": "assistant", "content": "", "tool_calls": [{"function": {"arguments": AGENT_LINE}}]}
    told = {"role": "user", "content": AGENT_LINE}
    assert kind_of({"messages": [{"role": "user", "content": "hello"}, quoted, told]}) == "main"
    assert (
        kind_of({"messages": [{"role": "user", "content": [{"type": "text", "text": f"{AGENT_LINE} Go."}]}]}) == "agent"
    )
    assert kind_of({"messages": [{"role": "system", "content": f"x\n{TITLE_LINE}"}, told]}) == "title"


def test_the_same_seed_plans_the_same_session_and_the_model_may_bring_its_own_last_words() -> None:
    assert plan_session(4) == plan_session(4) != plan_session(5)
    own = plan_session(4, closing=("So it is.",))
    ends = [answer.text for answer in own.answers["main"] if not answer.tool_calls]
    assert ends[0] == "So it is."
    assert len(ends) == 3
    assert request_count(own) == 15 + 3 + 1


def test_past_its_end_the_model_is_done() -> None:
    body = {"messages": [{"role": "user", "content": "hello"}, *[{"role": "assistant", "content": "x"}] * 99]}
    assert AgentScript(plan_session())(body).text == "All done."
