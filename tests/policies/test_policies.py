"""Each policy passes a good stack and fails a bad one, with its exact message, over the Analyzer protocol."""

from __future__ import annotations

from dataclasses import replace

import pytest

from .analyzer import DYNAMIC, Declared, Pack, Told, only
from .cases import CASES, Case


def _asked(pack: Pack, stack: object, policy: str) -> list[Told]:
    if isinstance(stack, Declared):
        return only(pack.analyze(stack), policy)
    assert isinstance(stack, list)
    for resource in stack:  # as engines do, before they analyse the stack
        pack.analyze(resource)
    return only(pack.analyze_stack(*stack), policy)


def _packaged(stack: object) -> object:
    """The same as resources of the package."""
    if isinstance(stack, Declared):
        return replace(stack, kind=stack.kind.replace(DYNAMIC, "stockade:index:"))
    assert isinstance(stack, list)
    return [_packaged(one) for one in stack]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.policy)
def test_a_good_stack_passes_and_a_bad_one_fails(pack: Pack, case: Case) -> None:
    pack.configure(case.config)
    for shell in (lambda stack: stack, _packaged):
        assert _asked(pack, shell(case.good), case.policy) == []
        assert _asked(pack, shell(case.bad), case.policy) == [Told(case.policy, case.message, case.mandatory)]


def test_every_policy_has_a_case(pack: Pack) -> None:
    assert {policy.name for policy in pack.info.policies} == {case.policy for case in CASES}
