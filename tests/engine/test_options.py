"""Options travel to the child process as one line of JSON."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from keepwarm.engine.options import EngineOptions, decode_options, encode_options


def test_options_arrive_as_they_left() -> None:
    sent = EngineOptions(
        model=Path("/models/a b.gguf"),
        context=4096,
        slots=4,
        threads=2,
        slot_save_path=Path("saved"),
        chat_template="{%- for m in messages %}\n{{ m.content }}\n{% endfor %}",
        template_kwargs={"preserve_thinking": True, "date_string": "1 May"},
        log_file=Path("engine.log"),
    )
    line = encode_options(sent)
    assert b"\n" not in line
    assert decode_options(line) == sent


def test_a_line_that_is_no_options_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_options(b'{"slots": 2}')
