"""A small package as pip installs it: a wheel is made by hand and installed into a folder of its own."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

RULE = '''
"""
## What it does
Takes the word of the day out of the system prompt.
"""
from keepwarm.core.prompt import Edit, SystemBlock
from keepwarm.rules.api import Fix, Rule, Safety

def drop(block):
    rest = block.text.replace("Word of the day: glockenspiel.", "")
    if rest == block.text:
        return Fix(block)
    return Fix(SystemBlock(rest, block.index, block.raw), (Edit("ACM001", "/system", block.text, rest, "dropped"),))

RULE = Rule("ACM001", "word-of-the-day", Safety.MEANING, __doc__, system=drop)
'''


def install(folder: Path, entries: dict[str, str], sources: dict[str, str], name: str = "acme-rules") -> Path:
    """A folder into which pip has put version 1.2 of a package.

    entries  the entry points of the group `keepwarm.rules`: {"ACM001": "acme_rules:RULE"}
    sources  its modules by name
    """
    module = name.replace("-", "_")
    info = f"{module}-1.2.dist-info"
    wheel = folder / f"{module}-1.2-py3-none-any.whl"
    lines = "".join(f"{entry} = {value}\n" for entry, value in entries.items())
    files = {f"{module}/__init__.py": "", **{f"{module}/{part}.py": text for part, text in sources.items()}}
    files |= {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[keepwarm.rules]\n{lines}",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"]))
    site = folder / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--target", str(site), str(wheel)], check=True, capture_output=True)
    return site
