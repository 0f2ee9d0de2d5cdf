"""`keepwarm fix`: show what is to be written into the agents' settings, and on yes write it; `--undo` takes it back."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from rich.console import Console

from keepwarm.clients import registry, settings_file
from keepwarm.clients.api import PLACEHOLDER, Client, Door, Places, Scope, Want
from keepwarm.clients.backups import Backups
from keepwarm.clients.plan import Plan, as_json, plan
from keepwarm.config import Config
from keepwarm.errors import AgentError, ConfigError, SettingsError
from keepwarm.shell import agents, neighbour
from keepwarm.views.diff import print_diff

NO_GATEWAY = "none"
"""`--gateway none`: leave addresses alone, though a gateway runs."""


class Wish(msgspec.Struct, frozen=True):
    """What the command line asks for."""

    client: str = ""
    """"" is every agent of this machine."""
    scope: Scope = "user"
    gateway: str = ""
    """An address; "" is the gateway that runs, if one does; "none" is no gateway."""
    statusline: bool = False
    yes: bool = False
    undo: bool = False
    json: bool = False


class Fixing:
    """One call of the command. `ask` is shown a question and says whether the answer is yes."""

    def __init__(
        self, config: Config, wish: Wish, places: Places, console: Console, ask: Callable[[str], bool]
    ) -> None:
        self._config, self._wish, self._places, self._console, self._ask = config, wish, places, console, ask
        self._backups = Backups(config.ledger_path.parent / "backups")
        self._failed: dict[str, str] = {}
        """What went wrong, by file."""

    def run(self) -> int:
        """Do it: 0 when all that is wanted stands, 1 when a file was left alone or the answer was no."""
        clients = self._clients()
        if self._wish.undo:
            return self._undo(clients)
        door = self._door()
        plans: list[Plan] = []
        for client in clients:
            plans += self._plans(client, self._want(client, door))
        open_ones = [one for one in plans if one.diff]
        if not self._wish.json:
            self._show(clients, plans, door)
        written: set[Path] = set()
        if open_ones and (self._wish.yes or (not self._wish.json and self._ask("Write this?"))):
            written = {one.found.path for one in open_ones if self._write(one)}
        if self._wish.json:
            text = as_json(plans, self._failed, lambda one: one.found.path in written)
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)
        self._tell_faults()
        return 1 if self._failed or len(written) < len(open_ones) else 0

    def _clients(self) -> list[Client]:
        if self._wish.client:
            return [registry.find(self._wish.client)]
        if self._wish.undo:
            return list(registry.CLIENTS.values())
        found = [client for client in registry.CLIENTS.values() if agents.program_of(client)]
        if not found:
            known = "\n".join(f"    {client.title:<12} {client.install}" for client in registry.CLIENTS.values())
            raise AgentError(f"none of the agents that keepwarm knows is installed here. Install one:\n{known}")
        return found

    def _want(self, client: Client, door: Door | None) -> Want:
        program = agents.program_of(client)
        version = agents.version_on(program) if program and client.settings else ()
        line = _statusline(self._config) if self._wish.statusline and client.name == "claude" else ""
        return Want(door, version, line)

    def _door(self) -> Door | None:
        """The gateway whose address is written: the one that is named, else the one that runs."""
        named = self._wish.gateway
        if named == NO_GATEWAY:
            return None
        url = (named or neighbour.address(self._config)).rstrip("/").removesuffix("/v1")
        if named and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
            raise ConfigError(f"{named!r} is not an address: write it as http://127.0.0.1:8787, or none")
        try:
            found = neighbour.find(url, self._config.key)
        except AgentError:
            found = None
        model = self._config.upstream.model
        if found is not None:
            return found.door(self._config.key, model)
        return Door(url, model, None, self._config.key) if named else None

    def _plans(self, client: Client, want: Want) -> list[Plan]:
        plans = []
        for file in client.files(self._places):
            if file.scope != self._wish.scope:
                continue
            try:
                made = plan(client, file, want, self._places)
            except SettingsError as error:
                self._failed[str(file.path)] = str(error)
                continue
            plans += [made] if made is not None else []
        return plans

    def _show(self, clients: Sequence[Client], plans: Sequence[Plan], door: Door | None) -> None:
        say = self._say
        if door is not None:
            say(f"gateway   {door.url} (its address is written too; --gateway none leaves it out)")
        else:
            say("gateway   none runs: only settings that help without one are written.")
            say("          Start one (keepwarm serve) or name it (--gateway URL), and the address is written too.")
        for client in clients:
            mine = [one for one in plans if one.client == client.name]
            files = {str(file.path) for file in client.files(self._places)}
            if not mine and not files & self._failed.keys():
                scoped = any(file.scope == self._wish.scope for file in client.files(self._places))
                why = f"through the gateway: keepwarm run {client.name}" if scoped else "has no settings of a project"
                say(f"{client.title}: nothing to write; {why}")
            for one in mine:
                say("")
                say(f"{client.title}  {one.found.path}", "bold")
                if one.found.real != one.found.path:
                    say(f"  is at {one.found.real}")
                if one.diff:
                    print_diff(one.diff, self._console)
                else:
                    say("  as it should be")
                for note in one.notes:
                    say(f"  note: {note}", "yellow")

    def _write(self, one: Plan) -> bool:
        try:
            note = self._backups.keep(one.found, one.written, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
            try:
                folders = settings_file.put(one.found, one.written)
            except SettingsError:
                self._backups.drop(note)
                raise
            self._backups.settle(note, folders)
        except SettingsError as error:
            self._failed[str(one.found.path)] = str(error)
            return False
        if not self._wish.json:
            kept = f"before: {note.with_suffix('.bak')}" if one.found.raw is not None else "it is new"
            self._say(
                f"wrote {one.found.path} ({kept}); to take it back: keepwarm fix {one.client} --undo{self._flag()}"
            )
        return True

    def _flag(self) -> str:
        return " --project" if self._wish.scope == "project" else ""

    def _undo(self, clients: Sequence[Client]) -> int:
        done = 0
        for client in clients:
            # The last one first: the folder that was made for the first one is empty then.
            for file in reversed(client.files(self._places)):
                newest = self._backups.newest(file.path) if file.scope == self._wish.scope else None
                if newest is None:
                    continue
                try:
                    self._backups.undo(*newest)
                except SettingsError as error:
                    self._failed[str(file.path)] = str(error)
                    continue
                done += 1
                self._say(f"{file.path} has its bytes of before {newest[1].at} again" + _gone(file.path))
        if not done and not self._failed:
            self._say("nothing to undo: keepwarm has written no such settings")
        self._tell_faults()
        return 1 if self._failed else 0

    def _tell_faults(self) -> None:
        if not self._wish.json:
            for said in self._failed.values():
                self._say(f"left alone: {said}", "red")

    def _say(self, text: str, style: str = "") -> None:
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def fix(config: Config, wish: Wish, console: Console) -> int:
    """The command. Raises KeepwarmError for what cannot be begun; a file that is left alone is told and status 1."""

    def ask(question: str) -> bool:
        if not sys.stdin.isatty():
            console.print("nothing was written: run it in a terminal, or with --yes", markup=False, highlight=False)
            return False
        return console.input(f"\n{question} [y/N] ").strip().lower() in ("y", "yes")

    return Fixing(config, wish, agents.places(), console, ask).run()


def _statusline(config: Config) -> str:
    """The command for Claude Code's status line, with whole paths where the short ones would not do."""
    program = shutil.which(PLACEHOLDER)
    words = [PLACEHOLDER if program else str(Path(sys.argv[0]).absolute()), "statusline"]
    if config.ledger.path:
        words += ["--ledger", str(config.ledger_path.absolute())]
    return shlex.join(words)


def _gone(path: Path) -> str:
    return "" if path.exists() else " (it is gone: there was none)"
