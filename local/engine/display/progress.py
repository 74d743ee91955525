"""The terminal output of a run: live progress, then diagnostics, policies, outputs and a summary."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import TextIO

from hosts.text.masking import one_line, printable
from local.engine.display.diff import DiffPrinter, changed_keys
from local.engine.display.eventlog import EventLog
from local.engine.display.events import Op, Severity, Step, Violation
from local.engine.display.rows import LiveTree, Row
from local.engine.display.style import Style
from local.engine.state.state import PROVIDER_PREFIX, STACK_TYPE, Snapshot
from local.engine.state.values import PropertyMap

_MARKS = {
    Op.SAME: " ", Op.CREATE: "+", Op.UPDATE: "~", Op.DELETE: "-", Op.REPLACE: "+-", Op.CREATE_REPLACEMENT: "++",
    Op.DELETE_REPLACED: "--", Op.READ: " ", Op.FORGET: "-",
}  # fmt: skip
_VERBS = {
    Op.CREATE: ("create", "creating", "created"),
    Op.UPDATE: ("update", "updating", "updated"),
    Op.DELETE: ("delete", "deleting", "deleted"),
    Op.REPLACE: ("replace", "replacing", "replaced"),
    Op.DELETE_REPLACED: ("delete original", "deleting original", "deleted original"),
    Op.FORGET: ("forget", "forgetting", "gone"),
    Op.READ: ("refresh", "refreshing", "refreshed"),
}
_TITLES = {"preview": "Previewing update", "up": "Updating", "destroy": "Destroying", "refresh": "Refreshing"}


@dataclass
class Report:
    """What is printed at the end of a run."""

    counts: Counter[Op] = field(default_factory=Counter)
    messages: dict[str, list[tuple[Severity, str]]] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    outputs: tuple[PropertyMap, PropertyMap] | None = None
    failed: bool = False
    after: Snapshot | None = None

    @property
    def changes(self) -> int:
        """How many resources change."""
        return sum(number for op, number in self.counts.items() if op not in (Op.SAME, Op.READ))

    def failed_without(self, urns: Collection[str]) -> bool:
        """Whether anything failed other than the operations on these resources."""
        errors = {urn for urn, said in self.messages.items() if any(level is Severity.ERROR for level, _ in said)}
        return bool(errors.difference(urns)) or any(item.mandatory for item in self.violations)


def type_and_name(urn: str) -> tuple[str, str]:
    """Type and name in a URN."""
    parts = urn.split("::", 3)
    return parts[2].rsplit("$", 1)[-1], parts[3]


def is_hidden(urn: str) -> bool:
    """Whether a resource is internal to the engine: a default provider."""
    kind, name = type_and_name(urn)
    return kind.startswith(PROVIDER_PREFIX) and name.startswith("default")


def _compared(step: Step) -> tuple[PropertyMap, PropertyMap]:
    """The properties to compare, before and after a step."""
    if step.old is None or step.new is None:
        return {}, {}
    if step.by_outputs:
        return step.old.outputs, step.new.outputs
    return step.old.inputs, step.new.inputs


class Display:
    """Shows the events of one run as they happen, and a report at the end. Thread-safe.

    Messages may come from anywhere, so terminal control sequences are not printed.
    """

    def __init__(
        self,
        kind: str,
        project: str,
        stack: str,
        *,
        preview: bool,
        show_diff: bool,
        out: TextIO | None = None,
        log: EventLog | None = None,
    ) -> None:
        self._out = out or sys.stdout
        self._style = Style(self._out)
        self._diff = DiffPrinter(self._style)
        self._preview = preview
        self._show_diff = show_diff
        self._log = log
        if log:
            log.begun()
        self._lock = threading.RLock()
        self._started_at: dict[str, float] = {}
        self._begin = time.monotonic()
        self._root = f"{STACK_TYPE} ({project}-{stack}):"
        self.report = Report()
        title = f"Previewing {kind}" if preview and kind not in ("preview", "up") else _TITLES[kind]
        if preview and kind == "up":
            title = _TITLES["preview"]
        self._say(self._style.op("heading", f"{title} ({stack}):"))
        self._tree = LiveTree(self._out, self._style) if self._style.tty and not show_diff else None

    def _say(self, text: str) -> None:
        with self._lock:
            print(text, file=self._out, flush=True)

    def started(self, step: Step) -> None:
        """See Sink."""
        if is_hidden(step.urn):
            return
        if self._log:
            self._log.started(step)
        with self._lock:
            self._started_at[step.urn] = time.monotonic()
            row = self._row(step, 0 if self._preview else 1)
            if self._tree:
                self._tree.put(row)
            elif not self._preview and not self._show_diff and step.op not in (Op.SAME, Op.READ):
                self._say(row.plain(self._style))

    def finished(self, step: Step, *, failed: bool = False) -> None:
        """See Sink."""
        if is_hidden(step.urn):
            return
        if self._log:
            self._log.finished(step, failed=failed)
        with self._lock:
            if not failed and step.op is not Op.DELETE_REPLACED:
                self.report.counts[step.op] += 1
            row = self._row(step, 0 if self._preview else 2, failed)
            if self._tree:
                self._tree.put(row)
            elif step.op is Op.SAME or (step.op is Op.READ and not failed):
                return
            elif self._show_diff and not failed:
                self._details(step)
            else:
                self._say(row.plain(self._style))

    def _row(self, step: Step, tense: int, failed: bool = False) -> Row:
        kind, name = type_and_name(step.urn)
        state = step.new or step.old
        seconds = time.monotonic() - self._started_at.get(step.urn, time.monotonic())
        status = _VERBS[step.op][tense] if step.op in _VERBS else ""
        if step.op is Op.READ and tense == 2:
            status = ""
        if failed:
            status = f"{_VERBS[step.op][1]} failed"
        changed = ""
        if step.op in (Op.UPDATE, Op.REPLACE) and step.old and step.new:
            keys = changed_keys(*_compared(step))
            changed = f"[diff: ~{','.join(keys)}]" if keys else ""
        return Row(
            urn=step.urn,
            parent=state.parent if state else "",
            mark=_MARKS[step.op],
            type=one_line(kind),
            name=one_line(name),
            status=status + ("[retain]" if step.retained and status else ""),
            changed=one_line(changed),
            seconds=None if self._preview or not status else seconds,
            started=time.monotonic() if tense == 1 and not failed else None,
            failed=failed,
            quiet=step.op is Op.SAME,
        )

    def _details(self, step: Step) -> None:
        mark = _MARKS[step.op]
        kind, _ = type_and_name(step.urn)
        verb = _VERBS[step.op][0] + ("[retain]" if step.retained else "")
        lines = [self._style.op(mark, f"    {mark:<2}{kind}: ({verb})")]
        if step.old and step.old.id:
            lines.append(f"        [id={one_line(step.old.id)}]")
        lines.append(f"        [urn={one_line(step.urn)}]")
        if step.old and step.new:
            lines += self._diff.difference(*_compared(step), 6)
        elif step.op is not Op.DELETE_REPLACED:
            state = step.new or step.old
            lines += self._diff.whole(state.inputs if state else {}, 6)
        self._say("\n".join(lines))

    def log(self, severity: Severity, message: str, urn: str = "") -> None:
        """See Sink."""
        message = printable(message.rstrip())
        if not message or severity is Severity.DEBUG:
            return
        with self._lock:
            if severity is Severity.ERROR:
                self.report.failed = True
            self.report.messages.setdefault(urn, []).append((severity, message))
            if self._tree:
                self._tree.message(urn, f"{severity}: {message}" if severity is not Severity.INFO else message)
            elif not self._show_diff:
                where = one_line("{} {}  ".format(*type_and_name(urn))) if urn else ""
                prefix = "" if severity is Severity.INFO else self._style.op(severity, f"{severity}: ")
                self._say(f"    {where}{prefix}{message.splitlines()[0]}")

    def outputs(self, urn: str, old: PropertyMap, new: PropertyMap) -> None:
        """See Sink."""
        if type_and_name(urn)[0] == STACK_TYPE:
            self.report.outputs = (old, new)

    def violation(self, violation: Violation) -> None:
        """See Sink."""
        message, description = printable(violation.message), printable(violation.description)
        violation = replace(violation, message=message, description=description, policy=one_line(violation.policy))
        with self._lock:
            if violation not in self.report.violations:  # the check before an update has reported it
                self.report.violations.append(violation)
            self.report.failed |= violation.mandatory

    def close(self, packs: list[str], *, complete: bool = True) -> None:
        """Print the report at the end of a run; for packs that have not seen all resources, only their violations."""
        broken = {f"{item.pack}@v{item.version}" for item in self.report.violations}
        packs = [pack for pack in packs if complete or pack in broken]
        with self._lock:
            if self._tree:
                self._tree.close()
            self._diagnostics()
            self._policies(packs)
            self._outputs()
            self._summary()

    def _heading(self, text: str) -> None:
        self._say(self._style.op("heading", text))

    def _diagnostics(self) -> None:
        if not self.report.messages:
            return
        self._heading("Diagnostics:")
        for urn, messages in sorted(self.report.messages.items(), key=lambda item: item[0] != ""):
            title = one_line("{} ({}):".format(*type_and_name(urn))) if urn else self._root
            self._say("  " + self._style.op("resource", title))
            for severity, message in messages:
                prefix = "" if severity is Severity.INFO else self._style.op(severity, f"{severity}: ")
                self._say("\n".join(f"    {line}" for line in (prefix + message).splitlines()))
            self._say("")

    def _policies(self, packs: list[str]) -> None:
        if not packs:
            return
        self._heading("Policies:")
        for pack in packs:
            mine = [item for item in self.report.violations if f"{item.pack}@v{item.version}" == pack]
            broken = any(item.mandatory for item in mine)
            self._say(f"    {'❌' if broken else '⚠️' if mine else '✅'} {one_line(pack)}")
            for item in mine:
                level = "mandatory" if item.mandatory else "advisory"
                where = one_line("  ({}: {})".format(*type_and_name(item.urn))) if item.urn else ""
                tint = "error" if item.mandatory else "warning"
                self._say("        - " + self._style.op(tint, f"[{level}]  {item.policy}{where}"))
                complete = item.message.startswith(item.description)  # the SDK puts it there
                for text in (item.message,) if complete else (item.description, item.message):
                    self._say("\n".join(f"          {line}" for line in text.splitlines()))
        self._say("")

    def _outputs(self) -> None:
        if self.report.outputs is None:
            return
        old, new = self.report.outputs
        lines = list(self._diff.difference(old, new, 2, unchanged=not self._preview))
        if lines:
            self._heading("Outputs:")
            self._say("\n".join(lines) + "\n")

    def _summary(self) -> None:
        counts = self.report.counts
        lines = []
        for op in (Op.CREATE, Op.UPDATE, Op.DELETE, Op.REPLACE, Op.FORGET):
            if counts[op]:
                infinitive, _, past = _VERBS[op]
                what = f"to {infinitive}" if self._preview else past
                lines.append(self._style.op(_MARKS[op], f"    {_MARKS[op]:<2}{counts[op]} {what}"))
        same = counts[Op.SAME] + counts[Op.READ]
        if self.report.changes and same:
            lines.append(f"    {self.report.changes} changes. {same} unchanged")
        elif same:
            lines.append(f"    {same} unchanged")
        if lines:
            self._heading("Resources:")
            self._say("\n".join(lines) + "\n")
        if not self._preview:
            self._say(f"{self._style.op('heading', 'Duration:')} {max(1, round(time.monotonic() - self._begin))}s\n")
