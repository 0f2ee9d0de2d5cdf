"""Settings files of Claude Code in the shapes that they have on people's machines; it can read each of them."""

from __future__ import annotations

import json

# A megabyte; that five are read is shown by tests/codec/test_jsonc.py.
HUGE = json.dumps({"permissions": {"allow": [f"Bash(make {n}:*)" for n in range(35_000)]}, "model": "m"}, indent=2)

CORPUS = {
    "empty": b"",
    "white space": b" \n\n",
    "braces": b"{}",
    "one line": b'{"model":"opus","permissions":{"allow":["Bash(ls:*)"]}}',
    "env absent": b'{\n  "model": "opus"\n}\n',
    "env empty": b'{\n  "env": {},\n  "model": "opus"\n}\n',
    "env with others": b'{\n  "env": {\n    "A": "b"\n  }\n}\n',
    "already": b'{\n  "env": {\n    "CLAUDE_CODE_ATTRIBUTION_HEADER": "0"\n  }\n}',
    "another value": b'{"env": {"CLAUDE_CODE_ATTRIBUTION_HEADER": "1"}}',
    "a number": b'{"env": {"CLAUDE_CODE_ATTRIBUTION_HEADER": 0}}',
    "tabs": b'{\n\t"env": {\n\t\t"A": "b"\n\t}\n}\n',
    "four": b'{\n    "model": "opus",\n    "env": {\n        "A": "b"\n    }\n}\n',
    "crlf": b'{\r\n  "model": "opus",\r\n  "env": {\r\n    "A": "b"\r\n  }\r\n}\r\n',
    "bom": b'\xef\xbb\xbf{\n  "model": "opus"\n}\n',
    "bom crlf": b'\xef\xbb\xbf{\r\n  "model": "opus"\r\n}',
    "unicode": '{\n  "env": {"GRÜSSE": "日本 😀 \\u00e9 \\ud83d"},\n  "é": "\u2028"\n}'.encode(),
    "duplicates": b'{"env": {"A": "1"}, "model": "x", "env": {"A": "2", "A": "3"}}',
    "duplicates of ours": b'{"env": {"CLAUDE_CODE_ATTRIBUTION_HEADER": "1", "CLAUDE_CODE_ATTRIBUTION_HEADER": "2"}}',
    "odd layout": b'{ "a" : 1\n ,"b":[ ],\n"env"\n:\n{ "A":"b" } }',
    "numbers": b'{"a": 1.0, "b": 1e400, "c": 123456789012345678901234567890, "d": -0.0}',
    "huge": HUGE.encode(),
}
