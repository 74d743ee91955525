"""The project and its stacks: the files of the project, each stack's config with all its errors, policies and state."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from cli.doctor.findings import About, Finding, Subject
from cli.project import LINK, ProjectError, link
from components.config.inventory import Inventory
from components.config.remarks import bad_files, in_clear, misplaced
from components.config.shards import index_in, stack_of
from components.failure import Failure
from components.stack_config import ConfigError, StackConfig, parse
from fleet.look import config_of
from hosts.ssh.connection import HostAccess
from hosts.text.masking import shortened
from local.commands import policy_arguments, set_lab_passphrase, stacks_in, value_of
from local.engine.errors import EngineError
from local.engine.processes.launch import DYNAMIC
from local.engine.state.backend import Backend
from local.engine.state.project import (
    Config,
    ConfigValue,
    Project,
    StackSettings,
    backend_folder,
    checked_name,
    load_project,
    load_stack,
    resolve_config,
)
from local.engine.state.secrets import Crypter
from local.engine.state.session import open_session
from policies.names import lowered_in

_TO_DECRYPT = "Export PULUMI_CONFIG_PASSPHRASE, or PULUMI_CONFIG_PASSPHRASE_FILE with the name of a file."
_CONFIG = "docs/chapters.md, docs/hosts.md and docs/firewall.md say what there is."


@dataclass
class Stack:
    """A stack's config as far as it can be read. `access`: how its hosts are reached."""

    project: Project
    name: str
    access: list[HostAccess] = field(default_factory=list)
    unknown_secrets: bool = False


def project(folder: Path) -> tuple[Project | None, list[Finding]]:
    """Return the project of a folder, and what was found about its files."""
    subject = Subject(About.PROJECT, "Pulumi.yaml")
    try:
        found = load_project(folder)
    except EngineError as error:
        remedy = "Run it in the project's folder, or name that with -C. `stockade new` begins one."
        return None, [subject.error(str(error), remedy)]
    findings = [subject.ok(f"the project {found.name} in {found.root}")]
    try:
        link(found.root)
    except ProjectError as error:
        findings.append(subject.error(str(error)))
    if found.virtualenv is not None and not (found.virtualenv / "bin/python").is_file():
        findings.append(subject.error(f"`virtualenv`: {found.virtualenv} has no bin/python", "make .venv/ready"))
    provider = found.plugins.get(DYNAMIC)
    if provider is not None and not (provider / f"pulumi-resource-{DYNAMIC}").is_file():
        findings.append(subject.error(f"`plugins`: there is no provider in {provider}", "Correct its `path`."))
    return found, findings


def names(found: Project, stack: str | None) -> tuple[list[str], list[Finding]]:
    """Return the stacks to check: the one given, or all that have a config."""
    known = stacks_in(found.root)
    if stack is None:
        return known, []
    try:
        checked_name(stack)
    except EngineError as error:
        return [], [Subject(About.STACK, stack[:60]).error(str(error))]
    if (found.stack_dir / f"Pulumi.{stack}.yaml").is_file():
        return [stack], []
    there = f"There are {', '.join(known)}." if known else "Write it: README.md has an example."
    subject = Subject(About.STACK, stack)
    return [], [subject.error(f"{found.stack_dir / f'Pulumi.{stack}.yaml'} does not exist", there)]


def stack(found: Project, name: str) -> tuple[Stack, list[Finding]]:
    """Return a stack, and what was found about it. The current folder is the project's."""
    checked, subject = Stack(found, name), Subject(About.STACK, name)
    set_lab_passphrase(name, os.environ)
    try:
        settings = load_stack(found, name)
        values, problem = _values(found, settings, name)
    except EngineError as error:
        return checked, [subject.error(str(error))]
    checked.unknown_secrets = problem is not None
    findings = [problem] if problem else []
    findings += _config(checked, subject, settings.file, values)
    findings += [*_policies(subject, found, name), *_state(subject, found, name)]
    return checked, findings


class _Unknown:
    """Stands in for what cannot be decrypted, so that everything else is checked all the same."""

    def decrypt(self, _cipher: str) -> str:
        """See Crypter."""
        return "?"


def _values(found: Project, settings: StackSettings, name: str) -> tuple[Config, Finding | None]:
    """Return the config, decrypted if that is possible. Raises EngineError if it cannot be read at all."""
    try:
        return resolve_config(found, settings, None), None
    except EngineError:  # it has secrets
        pass
    try:
        return open_session(found.root, name, create=True).config(), None
    except EngineError as error:
        why = str(error)
    if shutil.which("pulumi") is not None:
        try:  # another secrets provider than a passphrase
            texts = config_of(name, found.root)
            return {f"{found.name}:{key}": ConfigValue(_text(value), True) for key, value in texts.items()}, None
        except EngineError as error:
            why = str(error)
    subject = Subject(About.STACK, name)
    unknown = resolve_config(found, settings, cast("Crypter", _Unknown()))
    return unknown, subject.error(f"its secrets cannot be decrypted: {shortened(why, 300)}", _TO_DECRYPT)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _config(checked: Stack, subject: Subject, file: Path, config: Config) -> Iterator[Finding]:
    prefix = f"{checked.project.name}:"
    own = {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}
    if not own.keys() & {"hosts", "inventory"} and not _ours(checked.project):
        yield subject.ok("the program reads a config of its own: its hosts are not known here")
        return
    values = {key: _json(value.text) for key, value in own.items()}
    parsed, problems = _parsed(values, checked.name, prefix)
    yield from (subject.error(problem, _CONFIG) for problem in problems)
    secret = frozenset(key for key, value in own.items() if value.secret)
    for path in misplaced(file, prefix):
        yield subject.error(f"{path}: is no secret, and would show what is encrypted", "Write it in plain text.")
    for path in in_clear(values, secret, file, prefix):
        command = f"stockade config set --stack {checked.name} --secret --path '{path}'"
        yield subject.warning(f"{path}: a secret in plain text", f"Change and encrypt it: {command}")
    hosts: dict[str, HostAccess] = {}
    for part in parsed:
        hosts |= part.access()
        for place, (fault, missing) in bad_files(part.defaults, part.hosts, prefix).items():
            if missing:
                yield subject.warning(f"{place}: {fault}", "Create the file, or name another.")
            else:
                yield subject.error(f"{place}: {fault}", "Correct the file, or name another.")
    checked.access = [*hosts.values()] if not problems else [*_reachable(values)]
    if not problems:
        count = f"{len(hosts)} host{'' if len(hosts) == 1 else 's'}"
        shards = f" in {len(parsed)} shards" if len(parsed) > 1 else ""
        yield subject.ok(f"the config is valid: {count}{shards}")


def _reachable(values: Mapping[str, Any]) -> Iterator[HostAccess]:
    """Yield how hosts are reached in a config with errors elsewhere."""
    inventory = Inventory.of(values.get)
    try:
        names = [*inventory]
    except (Failure, AttributeError, TypeError, ValueError):
        return
    for name in names:
        with suppress(Failure, ValidationError, AttributeError, TypeError, ValueError):
            yield inventory[name]


def _ours(found: Project) -> bool:
    """Whether the program is Stockade's, which reads hosts from the config."""
    program = found.root / "__main__.py"
    text = program.read_text("utf-8", "replace") if program.is_file() else ""
    return "components.stack_config" in text or LINK in text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _parsed(values: Mapping[str, Any], name: str, prefix: str) -> tuple[list[StackConfig], list[str]]:
    """Return the config of the stack, or of each shard of an environment, and all errors."""
    shard = values.get("shard")
    stacks = [name]
    if isinstance(shard, dict) and isinstance(shard.get("of"), int) and index_in(shard, name) is None:
        stacks = [stack_of(name, number) for number in range(1, min(max(shard["of"], 1), 1000) + 1)]
    found, problems = list[StackConfig](), dict[str, None]()
    for one in stacks:
        try:
            found.append(parse(values, one, prefix))
        except ConfigError as error:
            problems |= dict.fromkeys(_problems(str(error)))
            break
    return found, [*problems]


def _problems(text: str) -> list[str]:
    """Return the errors in the message of a ConfigError, which has them as indented lines below its first."""
    found: list[str] = []
    for line in text.splitlines()[1:]:
        if line.startswith("    ") and found:
            found[-1] += f"\n{line.strip()}"
        else:
            found.append(line.strip())
    return found


def _policies(subject: Subject, found: Project, name: str) -> Iterator[Finding]:
    given = policy_arguments("preview", [], name, found.root, None)
    file = value_of(given, "--policy-pack-config")
    if file is None:
        return
    shown = Path(file).name
    try:
        config = json.loads(Path(file).read_text("utf-8"))
        problems = [*_wrong_policies(config)]
    except (OSError, ValueError, RecursionError) as error:
        problems = [str(error)]
    yield from (subject.error(f"{shown}: {shortened(problem, 300)}", "docs/policies.md") for problem in problems)
    lowered = [] if problems else lowered_in(file)
    if not problems:
        rest = f"; not enforced: {', '.join(lowered)}" if lowered else ""
        yield subject.ok(f"{shown} is valid{rest}")


def _wrong_policies(config: Any) -> Iterator[str]:
    if not isinstance(config, dict):
        yield "must be a mapping of policies"
        return
    from policies.names import misspelled
    from policies.pack import POLICIES
    from policies.settings import PolicySettings, Setting, SettingsError

    yield from misspelled(config)
    schemas = {policy.name: policy.config_schema for policy in POLICIES}
    for name, settings in config.items():
        schema = schemas.get(name)
        if isinstance(settings, dict) and schema is not None:
            known = [Setting(key, "", one, None) for key, one in schema.properties.items()]
            try:
                PolicySettings(known, {key: one for key, one in settings.items() if key != "enforcementLevel"})
            except SettingsError as error:
                yield f"{name}: {error}"


def _state(subject: Subject, found: Project, name: str) -> Iterator[Finding]:
    try:
        backend = Backend(backend_folder(found, found.root), found.name, name)
    except EngineError:
        yield subject.ok("its state is not in files, so it was not checked")
        return
    try:
        data = backend.read()
    except (EngineError, OSError, ValueError, AttributeError) as error:
        yield subject.error(
            shortened(str(error), 300), f"Restore it: {backend.file}.bak is the state before the last run."
        )
        return
    if not backend.exists():
        yield subject.ok("it has no state yet: the first `up` makes one")
        return
    resources, pending = data.get("resources") or [], data.get("pending_operations") or []
    if pending:
        yield subject.warning(
            f"a run was killed, or is in progress: {len(pending)} operations are unfinished",
            "The next `up` or `destroy` continues.",
        )
    if holders := backend.holders():
        yield subject.warning(f"its state is locked by {', '.join(holders)}", "Let that run end.")
    yield subject.ok(f"{len(resources)} resources in its state, {backend.file}")
