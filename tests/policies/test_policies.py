"""Each policy passes a good stack and fails a bad one, with its exact message, over the Analyzer protocol."""

from __future__ import annotations

import pytest

from .analyzer import Declared, Pack, Told, only
from .cases import CASES, Case


def _asked(pack: Pack, stack: object, policy: str) -> list[Told]:
    if isinstance(stack, Declared):
        return only(pack.analyze(stack), policy)
    assert isinstance(stack, list)
    for resource in stack:  # as engines do, before they analyse the stack
        pack.analyze(resource)
    return only(pack.analyze_stack(*stack), policy)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.policy)
def test_a_good_stack_passes_and_a_bad_one_fails(pack: Pack, case: Case) -> None:
    pack.configure(case.config)
    assert _asked(pack, case.good, case.policy) == []
    assert _asked(pack, case.bad, case.policy) == [Told(case.policy, case.message, case.mandatory)]


def test_every_policy_has_a_case(pack: Pack) -> None:
    assert {policy.name for policy in pack.info.policies} == {case.policy for case in CASES}
