"""An open stack: its project, configuration, state and secrets."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path

from local.engine.errors import EngineError, NoStackError
from local.engine.state.backend import Backend, load, salt_of_state
from local.engine.state.project import (
    Config,
    Project,
    StackSettings,
    backend_folder,
    checked_name,
    load_project,
    load_stack,
    resolve_config,
    stack_file,
)
from local.engine.state.secrets import Crypter, passphrase
from local.engine.state.stack_file import rewrite, salt_of, with_salt
from local.engine.state.state import Encoder, Snapshot


@dataclass(frozen=True)
class Session:
    """One stack of one project."""

    project: Project
    stack: str
    settings: StackSettings
    backend: Backend
    crypter: Crypter
    encoder: Encoder

    def stored(self) -> Session:
        """This session, after writing stack and salt to disk: called before the first change, never in a preview."""
        session = self
        if self.settings.salt is None:
            text = rewrite(self.settings.file, lambda text: with_salt(text, self.crypter.salt))
            salt = str(salt_of(text))
            crypter = self.crypter
            if salt != crypter.salt:  # another run wrote one first
                crypter = Crypter(salt, crypter.phrase)
            settings = replace(self.settings, salt=salt)
            session = _session(self.project, self.stack, settings, self.backend, crypter)
        if not self.backend.exists():
            self.backend.write(session.encoder.deployment(Snapshot()))
        return session

    def config(self) -> Config:
        """The stack's configuration, decrypted."""
        return resolve_config(self.project, self.settings, self.crypter)

    def snapshot(self) -> Snapshot:
        """The stack's state."""
        return load(self.backend, self.crypter, self.encoder)


def stacks_of(cwd: Path) -> frozenset[str]:
    """Return the names of all stacks of a project in its backend."""
    project = load_project(cwd)
    folder = Backend(backend_folder(project, cwd), project.name, "").file.parent
    return frozenset(file.name.removesuffix(".json") for file in folder.glob("*.json") if not file.name.startswith("."))


def open_session(cwd: Path, stack: str, *, create: bool) -> Session:
    """Open a stack without writing anything; raises EngineError if it does not exist, unless `create`."""
    project = load_project(cwd)
    backend = Backend(backend_folder(project, cwd), project.name, checked_name(stack))
    if not backend.exists() and not create:
        raise NoStackError(
            f"no stack named '{stack}' found in {backend.root}; `--create` makes it "
            f"(its configuration is {stack_file(project, stack)})"
        )
    settings = load_stack(project, stack)
    return _session(project, stack, settings, backend, _crypter(settings, backend))


def _session(project: Project, stack: str, settings: StackSettings, backend: Backend, crypter: Crypter) -> Session:
    return Session(project, stack, settings, backend, crypter, Encoder(crypter))


def _crypter(settings: StackSettings, backend: Backend) -> Crypter:
    """The stack's crypter, with the salt of its configuration, that of its state, or a fresh one."""
    phrase = passphrase()
    salt = settings.salt or salt_of_state(backend.read())
    if salt is None:
        return Crypter.new(phrase)
    crypter = Crypter(salt, phrase)
    if (settings.file.is_file() and "secure:" in settings.file.read_text()) or backend.mentions('"ciphertext"'):
        # deriving the key takes a third of a second: do it while processes start
        threading.Thread(target=_derive, args=[crypter], daemon=True).start()
    return crypter


def _derive(crypter: Crypter) -> None:
    try:
        crypter.check()
    except EngineError:
        return  # raised again at first use
