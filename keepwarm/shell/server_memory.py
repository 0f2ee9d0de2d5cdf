"""How much memory a model server takes: one table of readers, whatever of them works here.

    with MemoryReader("http://127.0.0.1:8080") as memory:
        for reading in memory.read(): ...

`nvidia` reads NVML through nvidia-ml-py (written against 13.615), `amd` reads AMD SMI through amdsmi (7.0), `process`
the resident memory of the process that listens at the server's port (psutil), which on a machine without a card of its
own memory (CPU, Apple) is all there is. THE FIRST TWO ARE UNTESTED ON HARDWARE: they have been run against stand-ins
made from those packages' own signatures only.

Nothing is read for a server on another machine: a card here says nothing of it.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Final, Protocol, Self
from urllib.parse import urlsplit

from keepwarm.checks.memory import Reading

_THIS_MACHINE: Final = ("127.0.0.1", "::1", "localhost")


class Reader(Protocol):
    """One source, opened."""

    def read(self, pid: int | None) -> list[Reading]:
        """A look now; none where it has nothing to say.

        pid  the server's process, where it is known
        """

    def close(self) -> None:
        """Let the driver go."""


class Nvidia:
    """Every card that NVML shows. Raises ImportError without nvidia-ml-py, pynvml.NVMLError without a driver."""

    def __init__(self) -> None:
        self._nvml: Any = importlib.import_module("pynvml")
        self._nvml.nvmlInit()

    def read(self, pid: int | None) -> list[Reading]:
        """One reading a card. A card without memory of its own (it shares the machine's) gives none."""
        readings: list[Reading] = []
        for index in range(self._nvml.nvmlDeviceGetCount()):
            card = self._nvml.nvmlDeviceGetHandleByIndex(index)
            with contextlib.suppress(self._nvml.NVMLError):
                memory = self._nvml.nvmlDeviceGetMemoryInfo(card)
                name = self._nvml.nvmlDeviceGetName(card)
                text = name.decode() if isinstance(name, bytes) else str(name)
                used, total = int(memory.used), int(memory.total)
                readings.append(Reading("nvidia", text, used, total, self._servers(card, pid)))
        return readings

    def _servers(self, card: Any, pid: int | None) -> int | None:
        """Bytes of one process; None where the driver does not tell (in a container, or under WDDM)."""
        if pid is None:
            return None
        with contextlib.suppress(self._nvml.NVMLError):
            for process in self._nvml.nvmlDeviceGetComputeRunningProcesses(card):
                if process.pid == pid and process.usedGpuMemory is not None:
                    return int(process.usedGpuMemory)
        return None

    def close(self) -> None:
        """Shut NVML down."""
        self._nvml.nvmlShutdown()


class Amd:
    """Every card that AMD SMI shows. Raises ImportError without amdsmi, its own error without a driver."""

    def __init__(self) -> None:
        self._smi: Any = importlib.import_module("amdsmi")
        self._smi.amdsmi_init()

    def read(self, pid: int | None) -> list[Reading]:
        """One reading a card."""
        readings: list[Reading] = []
        for number, card in enumerate(self._smi.amdsmi_get_processor_handles()):
            with contextlib.suppress(self._smi.AmdSmiException):
                usage = self._smi.amdsmi_get_gpu_vram_usage(card)  # MiB
                used, total = int(usage["vram_used"]) << 20, int(usage["vram_total"]) << 20
                readings.append(Reading("amd", f"AMD card {number}", used, total, self._servers(card, pid)))
        return readings

    def _servers(self, card: Any, pid: int | None) -> int | None:
        if pid is None:
            return None
        with contextlib.suppress(self._smi.AmdSmiException):
            for process in self._smi.amdsmi_get_gpu_process_list(card):
                if process["pid"] == pid:
                    return int(process["memory_usage"]["vram_mem"])  # bytes
        return None

    def close(self) -> None:
        """Shut AMD SMI down."""
        self._smi.amdsmi_shut_down()


class ProcessMemory:
    """The server's own process. Raises ImportError without psutil."""

    def __init__(self) -> None:
        self._psutil: Any = importlib.import_module("psutil")

    def read(self, pid: int | None) -> list[Reading]:
        """Its resident memory; a model file that is mapped counts."""
        if pid is None:
            return []
        try:
            used = int(self._psutil.Process(pid).memory_info().rss)
        except self._psutil.Error:
            return []
        return [Reading("process", f"process {pid}", used)]

    def close(self) -> None:
        """Nothing is held."""


READERS: Final[dict[str, Callable[[], Reader]]] = {"nvidia": Nvidia, "amd": Amd, "process": ProcessMemory}
"""Every source, once."""


class MemoryReader:
    """All sources that work here, for one server."""

    def __init__(self, url: str, pid: int | None = None) -> None:
        """url  the server's address
        pid  its process, where the caller knows it; else it is looked for by the port it listens at
        """
        self._url, self._pid = url, pid
        self._readers: list[Reader] = []
        self.why_not: list[str] = []
        """For each source that cannot be used, why."""

    def __enter__(self) -> Self:
        if (urlsplit(self._url).hostname or "") not in _THIS_MACHINE:
            self.why_not.append("the server is on another machine")
            return self
        for name, open_reader in READERS.items():
            try:
                # amdsmi prints where it did not find its library; standard output may be JSON.
                with contextlib.redirect_stdout(io.StringIO()):
                    self._readers.append(open_reader())
            except ImportError as error:
                extra = {"nvidia": "pip install 'keepwarm[gpu]'", "amd": "pip install amdsmi (of your ROCm)"}
                self.why_not.append(f"{name}: {error} ({extra.get(name, 'pip install psutil')})")
            except Exception as error:  # the findings say it: a binding without its driver raises what it likes
                self.why_not.append(f"{name}: {type(error).__name__}, {error}")
        if self._pid is None and self._readers:
            self._pid = listening_pid(self._url)
            if self._pid is None:
                self.why_not.append("process: nobody of this user listens at the server's port")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reader in self._readers:
            with contextlib.suppress(Exception):  # nobody learns of it: a driver that shuts down badly harms no one
                reader.close()
        self._readers = []

    def read(self) -> tuple[Reading, ...]:
        """A look at all of them now. A source that fails is dropped, with the reason in `why_not`."""
        readings: list[Reading] = []
        for reader in tuple(self._readers):
            try:
                readings += reader.read(self._pid)
            except Exception as error:  # why_not says it: a card may fall off the bus between two looks
                self.why_not.append(f"{type(reader).__name__}: {error}")
                self._readers.remove(reader)
        return tuple(readings)


def listening_pid(url: str) -> int | None:
    """The process that listens at the address's port on this machine; None where it is another user's, or hidden."""
    try:
        import psutil
    except ImportError:
        return None
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    for pid, local_port in _listeners(psutil):
        if local_port == port:
            return pid
    return None


def _listeners(psutil: Any) -> Iterator[tuple[int, int]]:
    """(process, port) of everybody who listens, as far as this user may see."""
    try:
        rows = [(row.pid, row) for row in psutil.net_connections(kind="tcp")]
    except psutil.AccessDenied:  # macOS shows a user's own processes one by one only
        rows = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                rows += [(process.pid, row) for row in process.net_connections(kind="tcp")]
    for pid, row in rows:
        if pid is not None and row.status == psutil.CONN_LISTEN and row.laddr:
            yield pid, row.laddr.port
