"""The readers of memory, against stand-ins for the drivers' bindings.

The stand-ins have the names and shapes of nvidia-ml-py 13.615.71 and amdsmi 7.0.2, from those packages' own sources. No
card has been seen: these tests show that the calls are made as documented, and nothing of any driver.
"""

from __future__ import annotations

import os
import socket
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from keepwarm.checks.memory import GIB
from keepwarm.shell.server_memory import READERS, Amd, MemoryReader, Nvidia, listening_pid

HERE = "http://127.0.0.1:9"


class FakeNvml(ModuleType):
    """pynvml with two cards, the second of which shares the machine's memory."""

    class NVMLError(Exception):
        """As there."""

    def __init__(self, pid: int, used: int | None = 3 * GIB) -> None:
        super().__init__("pynvml")
        self.pid, self.used, self.calls = pid, used, [""]

    def nvmlInit(self) -> None:  # noqa: N802 (the binding's names)
        self.calls.append("init")

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.calls.append("shutdown")

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetName(self, handle: int) -> str | bytes:  # noqa: N802
        return b"Old Card" if handle else "NVIDIA Card"

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:  # noqa: N802
        if handle == 1:
            raise self.NVMLError("Not Supported")
        return SimpleNamespace(total=8 * GIB, free=4 * GIB, used=4 * GIB)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Any]:  # noqa: N802
        return [
            SimpleNamespace(pid=1, usedGpuMemory=GIB),
            SimpleNamespace(pid=self.pid, usedGpuMemory=self.used),
        ]


class FakeAmd(ModuleType):
    """amdsmi with one card."""

    class AmdSmiException(Exception):
        """As there."""

    def __init__(self, pid: int) -> None:
        super().__init__("amdsmi")
        self.pid = pid
        self.open = False

    def amdsmi_init(self) -> None:
        self.open = True

    def amdsmi_shut_down(self) -> None:
        self.open = False

    def amdsmi_get_processor_handles(self) -> list[object]:
        return [object()]

    def amdsmi_get_gpu_vram_usage(self, handle: object) -> dict[str, int]:
        return {"vram_total": 16 * 1024, "vram_used": 6 * 1024}

    def amdsmi_get_gpu_process_list(self, handle: object) -> list[dict[str, Any]]:
        return [{"pid": self.pid, "mem": 1, "memory_usage": {"gtt_mem": 2, "cpu_mem": 3, "vram_mem": 5 * GIB}}]


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    """In pynvml's place."""
    fake = FakeNvml(os.getpid())
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    return fake


def test_an_nvidia_card_with_the_servers_part(nvml: FakeNvml) -> None:
    reader = Nvidia()
    (card,) = reader.read(nvml.pid)
    reader.close()
    assert (card.name, card.used, card.total, card.server) == ("NVIDIA Card", 4 * GIB, 8 * GIB, 3 * GIB)
    assert nvml.calls[1:] == ["init", "shutdown"]


def test_the_servers_part_is_unknown_where_the_driver_does_not_tell(nvml: FakeNvml) -> None:
    assert Nvidia().read(None)[0].server is None
    assert Nvidia().read(999_999)[0].server is None
    nvml.used = None  # WDDM
    assert Nvidia().read(nvml.pid)[0].server is None


def test_an_amd_card(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeAmd(7)
    monkeypatch.setitem(sys.modules, "amdsmi", fake)
    reader = Amd()
    assert fake.open
    (card,) = reader.read(7)
    assert (card.source, card.used, card.total, card.server) == ("amd", 6 * GIB, 16 * GIB, 5 * GIB)
    assert reader.read(8)[0].server is None
    reader.close()
    assert not fake.open


def test_all_that_works_is_read_and_the_rest_says_why(nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "amdsmi", None)
    with MemoryReader(HERE, os.getpid()) as memory:
        readings = memory.read()
    assert [one.source for one in readings] == ["nvidia", "process"]
    assert readings[1].used > 1 << 20
    assert any("amd" in reason and "pip install" in reason for reason in memory.why_not)
    assert nvml.calls[-1] == "shutdown"


def test_a_driver_that_is_not_there_or_goes_away_is_told_and_not_raised(
    nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lost() -> int:
        raise nvml.NVMLError("GPU is lost")

    with MemoryReader(HERE, os.getpid()) as memory:
        monkeypatch.setattr(nvml, "nvmlDeviceGetCount", lost)
        assert [one.source for one in memory.read()] == ["process"]
        assert [one.source for one in memory.read()] == ["process"]
    assert sum("GPU is lost" in reason for reason in memory.why_not) == 1

    def no_driver() -> None:
        sys.stdout.write("looked everywhere")  # as amdsmi does
        raise nvml.NVMLError("Driver Not Loaded")

    monkeypatch.setattr(nvml, "nvmlInit", no_driver)
    with MemoryReader(HERE, os.getpid()) as memory:
        assert [one.source for one in memory.read()] == ["process"]
    assert any("Driver Not Loaded" in reason for reason in memory.why_not)
    assert capsys.readouterr().out == ""


def test_a_server_on_another_machine_is_not_measured_by_a_card_here(nvml: FakeNvml) -> None:
    with MemoryReader("http://192.0.2.7:8080") as memory:
        assert memory.read() == ()
    assert memory.why_not == ["the server is on another machine"]
    assert nvml.calls == [""]


def test_a_process_is_found_by_the_port_it_listens_at() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert listening_pid(f"http://127.0.0.1:{port}") == os.getpid()
    assert listening_pid(f"http://127.0.0.1:{port}") is None


def test_a_process_that_ended_gives_nothing() -> None:
    reader = READERS["process"]()
    assert reader.read(2**22 + 1) == []
    assert reader.read(None) == []
