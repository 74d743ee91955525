"""The decision on each registered resource, with a provider that only records its calls."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from local.engine.display.events import Op, Severity, Step, Violation
from local.engine.processes.answers import Diff, PartialFailureError, ProviderError, covers
from local.engine.run.deployment import Deployment, Registration
from local.engine.run.goals import Alias, Goal, make_urn
from local.engine.run.policies import Policies
from local.engine.run.removal import Remover
from local.engine.state.ledger import StateJournal
from local.engine.state.state import Resource, Snapshot
from local.engine.state.values import UNKNOWN, PropertyMap, Secret

PROVIDER = "urn:pulumi:s::p::pulumi:providers:pulumi-python::default::id"


@dataclass
class Sink:
    """Records events."""

    steps: list[tuple[Op, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def started(self, step: Step) -> None:
        """Not of interest."""

    def finished(self, step: Step, *, failed: bool = False) -> None:
        if not failed:
            self.steps.append((step.op, step.urn.rsplit("::", 1)[1]))

    def log(self, severity: Severity, message: str, urn: str = "") -> None:
        if severity is Severity.ERROR:
            self.errors.append(message)

    def outputs(self, urn: str, old: PropertyMap, new: PropertyMap) -> None:
        """Not of interest."""

    def violation(self, violation: Violation) -> None:
        """Not of interest."""


class Provider:
    """Replaces if `key` changes, deleting first if `first` is set; fails as `fail` says."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def check(self, urn: str, olds: PropertyMap, news: PropertyMap) -> PropertyMap:
        return news

    def diff(self, old: Resource, inputs: PropertyMap, ignore: Any, replace: Any = ()) -> Diff:
        key = old.inputs.get("key") != inputs.get("key")
        return Diff(old.inputs != inputs, ("key",) if key else (), bool(inputs.get("first")))

    def create(self, new: Resource, preview: bool) -> tuple[str, PropertyMap]:
        self._call("create", new)
        return f"id-{new.name}", {**new.inputs, "made": True}

    def update(self, old: Resource, new: Resource, preview: bool) -> PropertyMap:
        self._call("update", new)
        return dict(new.inputs)

    def delete(self, old: Resource) -> None:
        self._call("delete", old)

    def _call(self, operation: str, resource: Resource) -> None:
        self.calls.append(f"{operation} {resource.name}")
        if resource.inputs.get("fail") == operation:
            raise ProviderError(f"would not {operation}")
        if resource.inputs.get("fail") == f"partial {operation}":
            error = PartialFailureError.__new__(PartialFailureError)
            Exception.__init__(error, "not ready")
            error.id, error.outputs, error.reasons = "half", {"made": False}, ("not ready",)
            raise error


class Pool:
    """One provider for all."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    def reference(self, goal: Goal) -> str:
        return PROVIDER

    def get(self, reference: str) -> Provider:
        return self.provider

    def registered(self) -> set[str]:
        return set()


class Stack:
    """A stack for several deployments."""

    def __init__(self) -> None:
        self.resources: tuple[Resource, ...] = ()

    def deploy(self, *goals: Goal, preview: bool = False, ok: bool = True) -> tuple[Provider, Sink, list[Registration]]:
        provider, sink, ledger = Provider(), Sink(), StateJournal(Snapshot(self.resources))
        pool: Any = Pool(provider)
        remover = Remover(preview=preview, parallel=2, ledger=ledger, providers=pool, sink=sink)
        policies = Policies([], preview, sink)
        deployment = Deployment("p", "s", Snapshot(self.resources), preview=preview, ledger=ledger, providers=pool,
                                remover=remover, policies=policies, sink=sink)  # fmt: skip
        done = [deployment.register(goal) for goal in goals]
        if not deployment.failed:
            deployment.remove_rest()
        assert (not deployment.failed and not remover.failed) is ok, sink.errors
        if not preview:
            self.resources = ledger.snapshot().resources
        return provider, sink, done


def goal(name: str, inputs: PropertyMap | None = None, **values: Any) -> Goal:
    """A goal for a dynamic resource."""
    plain = Goal("pulumi-python:dynamic:Resource", name, True, "", inputs or {}, None, (), "", {}, None, "", "", (), (),
                 (), {}, (), None, "", True)  # fmt: skip
    return replace(plain, **values)


def component(name: str, **values: Any) -> Goal:
    """A goal for a component."""
    return goal(name, type="a:b:Group", custom=False, **values)


def urn(name: str, parent: str = "") -> str:
    """The URN of such a resource."""
    return make_urn("s", "p", parent, "pulumi-python:dynamic:Resource", name)


def test_nothing_is_done_twice() -> None:
    stack = Stack()
    assert stack.deploy(goal("a", {"x": 1}))[0].calls == ["create a"]
    before = stack.resources
    provider, sink, _ = stack.deploy(goal("a", {"x": 1}))
    assert provider.calls == []
    assert sink.steps == [(Op.SAME, "a")]
    assert stack.resources[0] is before[0]


def test_a_change_of_options_alone_is_recorded() -> None:
    stack = Stack()
    stack.deploy(goal("a"))
    provider, _, _ = stack.deploy(goal("a", protect=True))
    assert provider.calls == []
    assert stack.resources[0].protect


def test_a_preview_touches_nothing() -> None:
    stack = Stack()
    stack.deploy(goal("a", {"key": 1}), goal("b"))
    provider, sink, _ = stack.deploy(goal("a", {"key": 2}), goal("c"), preview=True)
    assert [call for call in provider.calls if not call.startswith("create")] == []  # create is called for the preview
    assert sink.steps == [(Op.REPLACE, "a"), (Op.CREATE, "c"), (Op.DELETE, "b"), (Op.DELETE_REPLACED, "a")] or (
        sorted(sink.steps) == sorted([(Op.REPLACE, "a"), (Op.CREATE, "c"), (Op.DELETE, "b"), (Op.DELETE_REPLACED, "a")])
    )


def test_a_failed_replacement_leaves_the_old() -> None:
    stack = Stack()
    stack.deploy(goal("a", {"key": 1}))
    stack.deploy(goal("a", {"key": 2, "fail": "create"}), ok=False)
    assert [(item.inputs["key"], item.delete) for item in stack.resources] == [(1, False)]


def test_a_failed_replacement_after_its_delete_is_taken_up_again() -> None:
    stack = Stack()
    stack.deploy(goal("a", {"key": 1}))
    provider, _, _ = stack.deploy(goal("a", {"key": 2, "first": True, "fail": "create"}), ok=False)
    assert provider.calls == ["delete a", "create a"]
    assert [item.pending_replacement for item in stack.resources] == [True]
    provider, _, _ = stack.deploy(goal("a", {"key": 2, "first": True}))
    assert provider.calls == ["create a"]
    assert [(item.inputs["key"], item.pending_replacement) for item in stack.resources] == [(2, False)]


def test_one_that_waits_for_its_replacement_is_only_forgotten_when_it_is_not_wanted_any_more() -> None:
    stack = Stack()
    stack.deploy(goal("a", {"key": 1}))
    stack.deploy(goal("a", {"key": 2, "first": True, "fail": "create"}), ok=False)
    provider, _, _ = stack.deploy()
    assert provider.calls == []
    assert stack.resources == ()


def test_a_delete_that_failed_is_repeated() -> None:
    stack = Stack()
    stack.deploy(goal("a", {"key": 1, "fail": "delete"}))
    stack.deploy(goal("a", {"key": 2}), ok=False)
    assert sorted(item.delete for item in stack.resources) == [False, True]
    provider, _, _ = stack.deploy(goal("a", {"key": 2}), ok=False)
    assert provider.calls == ["delete a"]


def test_what_is_needed_by_something_undeletable_stays() -> None:
    stack = Stack()
    stack.deploy(goal("a"), goal("b", {"fail": "delete"}, dependencies=(urn("a"),)), goal("c"))
    provider, _, _ = stack.deploy(ok=False)
    assert sorted(provider.calls) == ["delete b", "delete c"]
    assert {item.name for item in stack.resources} == {"a", "b"}


def test_a_partly_created_resource_is_kept_and_gone_on_with() -> None:
    stack = Stack()
    stack.deploy(goal("a", {"fail": "partial create"}), ok=False)
    assert [(item.id, item.init_errors) for item in stack.resources] == [("half", ("not ready",))]
    provider, _, _ = stack.deploy(goal("a", {"fail": "partial create"}))
    assert provider.calls == ["update a"]
    assert stack.resources[0].init_errors == ()


def test_a_renamed_resource_is_the_same_with_an_alias() -> None:
    stack = Stack()
    group = make_urn("s", "p", "", "a:b:Group", "old")
    stack.deploy(component("old"), goal("old-child", parent=group), goal("other"))
    new_group = make_urn("s", "p", "", "a:b:Group", "new")
    provider, _, _ = stack.deploy(
        component("new", aliases=(Alias(name="old"),)),
        goal("new-child", parent=new_group),  # its former name follows from its parent's
        goal("another", aliases=(Alias(urn=urn("other")),)),
    )
    assert provider.calls == []
    assert {item.urn for item in stack.resources} == {new_group, urn("new-child", new_group), urn("another")}
    provider, _, _ = stack.deploy(component("new"), goal("new-child", parent=new_group), goal("another"))
    assert provider.calls == []


def test_protection() -> None:
    stack = Stack()
    stack.deploy(goal("a", {"key": 1}, protect=True))
    provider, sink, _ = stack.deploy(goal("a", {"key": 2}, protect=True), ok=False)
    assert provider.calls == []
    assert "marked for protection" in sink.errors[0]
    stack.deploy(goal("a", {"key": 2}, protect=False))
    assert stack.resources[0].inputs == {"key": 2}


def test_a_name_twice_is_an_error() -> None:
    _, sink, done = Stack().deploy(goal("a"), goal("a"), ok=False)
    assert done[1].state is None
    assert sink.errors == [f"Duplicate resource URN '{urn('a')}'; try giving it a unique name"]


def test_unknown_inputs_stop_an_update_and_not_a_preview() -> None:
    provider, _, done = Stack().deploy(goal("a", {"x": UNKNOWN}), ok=False)
    assert (provider.calls, done[0].state) == ([], None)
    _, _, done = Stack().deploy(goal("a", {"x": UNKNOWN}), preview=True)
    assert done[0].state is not None


def test_additional_secret_outputs() -> None:
    stack = Stack()
    stack.deploy(goal("a", additional_secret_outputs=("made",)))
    assert stack.resources[0].outputs == {"made": Secret(True)}


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [("a", "a", True), ("a", "a.b[0]", True), ("a[*]", "a[3]", True), ("a[*]", "a", False), ("*", "x", True),
     ("a.b", "a.c", False)],
)  # fmt: skip
def test_paths(pattern: str, path: str, covered: bool) -> None:
    assert covers(pattern, path) is covered
