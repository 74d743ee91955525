"""A stack, opened: project, configuration, state and secrets together."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from .backend import Backend, load
from .errors import EngineError
from .project import (
    Config,
    Project,
    StackSettings,
    backend_folder,
    load_project,
    load_stack,
    resolve_config,
    stack_file,
    store_salt,
)
from .secrets import Crypter, passphrase
from .state import Encoder, Snapshot


@dataclass(frozen=True)
class Session:
    """One stack of one project."""

    project: Project
    stack: str
    settings: StackSettings
    backend: Backend
    crypter: Crypter
    encoder: Encoder

    def config(self) -> Config:
        """The stack's configuration, decrypted."""
        return resolve_config(self.project, self.settings, self.crypter)

    def snapshot(self) -> Snapshot:
        """The stack's state."""
        return load(self.backend, self.crypter, self.encoder)


def there_is(cwd: Path, stack: str) -> bool:
    """Whether the backend of a project has a stack of this name."""
    project = load_project(cwd)
    return Backend(backend_folder(project, cwd), project.name, stack).exists()


def open_session(cwd: Path, stack: str, *, create: bool) -> Session:
    """Open a stack; raises EngineError if there is no such stack and it is not to be created."""
    project = load_project(cwd)
    backend = Backend(backend_folder(project, cwd), project.name, stack)
    if not backend.exists() and not create:
        raise EngineError(
            f"no stack named '{stack}' found in {backend.root}; `--create` makes it "
            f"(its configuration is {stack_file(project, stack)})"
        )
    settings = load_stack(project, stack)
    phrase = passphrase()
    if settings.salt is None:
        if backend.exists() and backend.read().get("secrets_providers"):
            raise EngineError(f"{settings.file} has no encryptionsalt, but the state of the stack is encrypted")
        crypter = Crypter.new(phrase)
        store_salt(settings, crypter.salt)
        settings = load_stack(project, stack)
    else:
        crypter = Crypter(settings.salt, phrase)
        if "secure:" in settings.file.read_text() or backend.mentions('"ciphertext"'):
            # the key takes a third of a second: derive it while processes start
            threading.Thread(target=_derive, args=[crypter], daemon=True).start()
    encoder = Encoder(crypter)
    if not backend.exists():
        backend.write(encoder.deployment(Snapshot()))
    return Session(project, stack, settings, backend, crypter, encoder)


def _derive(crypter: Crypter) -> None:
    try:
        crypter.check()
    except EngineError:
        return  # raised again, where somebody waits for it
