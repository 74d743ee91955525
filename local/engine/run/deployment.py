"""An update or its preview: decides what to do with each resource that the program registers."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from local.engine.display.events import Op, Severity, Sink, Step
from local.engine.errors import EngineError, UnsupportedError
from local.engine.processes.answers import Diff, ProviderError
from local.engine.processes.plugins import Provider
from local.engine.run.failures import Failures
from local.engine.run.goals import Goal, former_urns, keep_ignored, make_urn, pattern
from local.engine.run.policies import Policies
from local.engine.run.providers import ProviderPool, plugin_inputs
from local.engine.run.removal import Remover, dependent_replacements
from local.engine.run.steps import SkippedError, Steps
from local.engine.state.ledger import StateJournal
from local.engine.state.state import STACK_TYPE, Resource, Snapshot, now
from local.engine.state.values import PropertyMap, contains_unknown, without_unknown


@dataclass(frozen=True)
class Registration:
    """The result of a registration; it has no state if the resource failed or was not attempted."""

    urn: str
    state: Resource | None


class Deployment:
    """Plans and carries out the steps of one update or preview. Thread-safe: each registration has its thread."""

    def __init__(
        self,
        project: str,
        stack: str,
        base: Snapshot,
        *,
        preview: bool,
        ledger: StateJournal,
        providers: ProviderPool,
        remover: Remover,
        policies: Policies,
        sink: Sink,
        replace: Sequence[str] = (),
    ) -> None:
        self._project = project
        self._stack = stack
        self._preview = preview
        self._ledger = ledger
        self._steps = Steps(preview=preview, ledger=ledger, remover=remover, sink=sink)
        self._providers = providers
        self._remover = remover
        self._policies = policies
        self._sink = sink
        self._wanted_anew = {urn: pattern(urn) for urn in replace}
        self._base = base
        self._lock = threading.RLock()
        self._olds = {item.urn: item for item in base.resources if not item.delete}
        self._seen: set[str] = set()
        self._goals: dict[str, Goal] = {}
        self.failures = Failures()
        self._replaced: set[str] = set()
        self._aliased: dict[str, str] = {}
        self._stack_outputs: tuple[str, PropertyMap] | None = None
        self.news: dict[str, Resource] = {}

    @property
    def cancelled(self) -> threading.Event:
        """When set, nothing new is started."""
        return self._steps.cancelled

    @property
    def failed(self) -> bool:
        """Whether any resource has failed."""
        return bool(self.failures.urns())

    def register(self, goal: Goal) -> Registration:
        """Carry out a registration. A failure is reported, not raised."""
        goal = self._inherit(goal)
        urn = make_urn(self._stack, self._project, goal.parent, goal.type, goal.name)
        try:
            self._claim(urn, goal)
            state = self._dispatch(urn, goal)
        except SkippedError as skipped:
            self.failures.note(urn, skipped.cause)
            return Registration(urn, None)
        except (ProviderError, EngineError) as error:
            self.failures.note(urn, urn)
            self._sink.log(Severity.ERROR, str(error), urn)
            return Registration(urn, None)
        with self._lock:
            self.news[urn] = state
        return Registration(urn, state)

    def failed_component(self, goal: Goal, text: str) -> str:
        """Report that a component of a package could not be declared; return its URN."""
        urn = make_urn(self._stack, self._project, goal.parent, goal.type, goal.name)
        self.failures.note(urn, urn)
        self._sink.log(Severity.ERROR, text, urn)
        return urn

    def _inherit(self, goal: Goal) -> Goal:
        with self._lock:
            parent = self._goals.get(goal.parent)
        return goal.inherit(parent) if parent else goal

    def _claim(self, urn: str, goal: Goal) -> None:
        with self._lock:
            if urn in self._seen:
                raise EngineError(f"Duplicate resource URN '{urn}'; try giving it a unique name")
            self._seen.add(urn)
            self._goals[urn] = goal
            needs = {goal.parent, goal.deleted_with, goal.provider.rpartition("::")[0], *goal.dependencies}
            for urns in goal.property_dependencies.values():
                needs.update(urns)
            cause = self.failures.among(needs)
            if cause is not None or self._steps.cancelled.is_set():
                raise SkippedError(cause or "")

    def _dispatch(self, urn: str, goal: Goal) -> Resource:
        old = self._find_old(urn, goal)
        provider = ""
        if goal.custom and not goal.is_provider:
            provider = self._providers.reference(goal)
        new = Resource(
            urn=urn,
            custom=goal.custom,
            type=goal.type,
            inputs=goal.inputs,
            parent=goal.parent,
            protect=bool(goal.protect),
            dependencies=goal.dependencies,
            provider=provider,
            property_dependencies=goal.property_dependencies,
            additional_secret_outputs=goal.additional_secret_outputs,
            custom_timeouts=goal.custom_timeouts,
            retain_on_delete=bool(goal.retain_on_delete),
            deleted_with=goal.deleted_with,
            ignore_changes=goal.ignore_changes,
            replace_on_changes=goal.replace_on_changes,
            created=old.created if old else "",
            modified=old.modified if old else "",
        )
        if goal.is_provider:
            plugin = plugin_inputs(goal.version, goal.download_url)
            return self._providers.register(new.changed(inputs=new.inputs | plugin))
        if old is not None and old.custom != new.custom:
            raise UnsupportedError(f"turning a component into a custom resource, or back, under the same URN ({urn}),")
        return self._custom(goal, old, new) if goal.custom else self._component(old, new)

    def _find_old(self, urn: str, goal: Goal) -> Resource | None:
        """The resource in the state that this one continues: that with the same URN, or with one of its aliases."""
        if urn in self._olds:
            return self._olds[urn]
        with self._lock:
            for candidate in former_urns(goal, self._stack, self._project, self._aliased):
                old = self._olds.get(candidate)
                if old is not None and candidate not in self._seen:
                    self._seen.add(candidate)
                    self._aliased[urn] = candidate
                    return old
        return None

    def _component(self, old: Resource | None, new: Resource) -> Resource:
        self._policies.analyze(new, None)
        if old is None:
            time = now()
            new = new.changed(created=time, modified=time)
            step = Step(Op.CREATE, new.urn, None, new)
        else:
            new = new.changed(outputs=old.outputs, id=old.id)
            step = Step(Op.SAME if new.inputs == old.inputs else Op.UPDATE, new.urn, old, new)
        if step.op is not Op.SAME:
            self._policies.approve()
        self._sink.started(step)
        new = self._settle(old, new)
        self._sink.finished(step)
        return new

    def _settle(self, old: Resource | None, new: Resource) -> Resource:
        """Record a state that needed no operation; one that equals the old is not written again."""
        if old is not None and new == old:
            self._ledger.same(old)
            return old
        self._ledger.put([new], [old] if old else [])
        return new

    def _custom(self, goal: Goal, old: Resource | None, new: Resource) -> Resource:
        provider = self._providers.get(new.provider)
        before: PropertyMap = {}
        if old is not None and not old.pending_replacement:
            before = old.inputs
            new = new.changed(inputs=keep_ignored(new.inputs, old.inputs, goal.ignore_changes))
        self._known(new)
        new = new.changed(inputs=provider.check(new.urn, before, new.inputs))
        self._policies.analyze(new, self._provider_state(new))
        if old is None:
            self._policies.approve()
            return self._steps.create(provider, new, Step(Op.CREATE, new.urn, None, new))
        diff = self._diff(provider, goal, old, new)
        if old.pending_replacement or diff.changed or old.init_errors:
            self._policies.approve()
        if old.pending_replacement or (diff.changed and diff.replace_keys):
            return self._replace(provider, goal, old, new, diff)
        if diff.changed or old.init_errors:
            return self._steps.update(provider, old, new)
        new = new.changed(id=old.id, outputs=old.outputs)
        step = Step(Op.SAME, new.urn, old, new)
        self._sink.started(step)
        new = self._settle(old, new)
        self._sink.finished(step)
        return new

    def _known(self, new: Resource) -> None:
        if not self._preview and contains_unknown(new.inputs):
            raise SkippedError  # an input comes from a failed resource, but carries no dependency on it

    def _provider_state(self, new: Resource) -> Resource | None:
        with self._lock:
            return self.news.get(new.provider_urn)

    def _diff(self, provider: Provider, goal: Goal, old: Resource, new: Resource) -> Diff:
        with self._lock:
            if new.deleted_with and new.deleted_with in self._replaced:
                return Diff(True, ("deletedWith",))
        if old.taint or any(wanted.fullmatch(new.urn) for wanted in self._wanted_anew.values()):
            return Diff(True, ("id",))  # as in the CLI, the provider is not asked
        return provider.diff(old, new.inputs, goal.ignore_changes, goal.replace_on_changes)

    def _replace(self, provider: Provider, goal: Goal, old: Resource, new: Resource, diff: Diff) -> Resource:
        if old.protect and new.protect:
            raise EngineError(
                f'unable to replace resource "{new.urn}"\nas it is currently marked for protection. To unprotect the '
                "resource, remove the `protect` flag from the resource in your Pulumi program and run `pulumi up`"
            )
        with self._lock:
            self._replaced.add(new.urn)
        new = new.changed(inputs=provider.check(new.urn, {}, goal.inputs), created="", modified="")
        first = diff.delete_before_replace if goal.delete_before_replace is None else goal.delete_before_replace
        if first and not old.pending_replacement:
            old = self._delete_first(old)
        step = Step(Op.REPLACE, new.urn, old, new, diff.replace_keys, old.retain_on_delete)
        state = self._steps.create(provider, new, step, old)
        if self._preview and not first and not old.pending_replacement:
            self._steps.condemn(old)
        return state

    def _delete_first(self, old: Resource) -> Resource:
        """Delete a resource that will be created again, after those that must be replaced with it."""
        with self._lock:
            unseen = {urn: item for urn, item in self._olds.items() if urn not in self._seen}
        standing = [old, *(item for item in unseen.values() if not item.pending_replacement)]
        doomed = dependent_replacements(old, standing, self._providers.get)
        for item in reversed(doomed):
            if item.protect:
                raise EngineError(
                    f'unable to replace resource "{item.urn}" as part of replacing "{old.urn}" as it is protected'
                )
        pending = self._remover.delete_for_replacement([*reversed(doomed), old])
        with self._lock:
            self._olds.update({item.urn: item for item in pending})
        return self._olds[old.urn]

    def unmatched(self) -> list[str]:
        """The `--replace` options that match no resource of the program."""
        return [urn for urn, wanted in self._wanted_anew.items() if not any(map(wanted.fullmatch, self._seen))]

    def register_outputs(self, urn: str, outputs: PropertyMap) -> None:
        """Record the outputs of a component; `finish` records those of the stack, after the run."""
        with self._lock:
            state = self.news.get(urn)
        if state is None:
            return
        if state.type == STACK_TYPE:
            self._stack_outputs = (urn, outputs)
        else:
            self._record_outputs(state, outputs)

    def finish(self, *, failed: bool) -> None:
        """Record the outputs of the stack. After a failure, missing outputs keep their former values."""
        if self._stack_outputs is None:
            return
        urn, outputs = self._stack_outputs
        state = self.news[urn]
        if failed:
            outputs = state.outputs | without_unknown(outputs)
        self._record_outputs(state, outputs)

    def _record_outputs(self, state: Resource, outputs: PropertyMap) -> None:
        old = self._olds.get(state.urn)
        if not self._preview:
            known = without_unknown(outputs)
            lost = outputs.keys() - known.keys()  # depend on a failed resource: their former values stay
            outputs = known | {key: state.outputs[key] for key in lost if key in state.outputs}
        self._sink.outputs(state.urn, old.outputs if old else {}, outputs)
        new = state.changed(outputs=outputs)
        if new != state:
            self._ledger.put([new], [state])
            with self._lock:
                self.news[state.urn] = new

    def remove_rest(self, half_made: Iterable[Resource] = ()) -> None:
        """Delete what is no longer declared and what was replaced; after failures, only what they do not affect.

        `half_made`: see `EngineRun.half_made`.
        """
        with self._lock:
            wanted = self._seen | self._providers.registered()
            gone = [item for item in self._base.resources if item.delete or item.urn not in wanted]
            gone += self._remover.take_condemned()
            gone += [item for item in half_made if item.urn not in wanted]
            parents = {urn: goal.parent for urn, goal in self._goals.items()}
            self._remover.remove(self.failures.spare(gone, self._base.resources, parents, self._sink))
