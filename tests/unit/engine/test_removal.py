"""The order of deletions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from local.engine.run.removal import removal_order
from local.engine.state.state import Resource


def _resource(number: int, needs: set[int], delete: bool = False) -> Resource:
    urns = tuple(f"urn:pulumi:s::p::t:m:T::{other}" for other in sorted(needs))
    return Resource(
        urn=f"urn:pulumi:s::p::t:m:T::{number}", custom=True, type="t:m:T", dependencies=urns, delete=delete
    )


@given(st.lists(st.sets(st.integers(0, 9)), max_size=10).flatmap(lambda graph: st.permutations(list(enumerate(graph)))))
def test_users_go_before_what_they_need(graph: list[tuple[int, set[int]]]) -> None:
    resources = [_resource(number, {other for other in needs if other < number}) for number, needs in graph]
    order = [item.urn for item in removal_order(resources)]
    assert sorted(order) == sorted(item.urn for item in resources)
    for item in resources:
        for needed in set(item.dependencies) & set(order):
            assert order.index(item.urn) < order.index(needed)


def test_what_was_replaced_goes_before_its_successor() -> None:
    old, new = _resource(1, set(), delete=True), _resource(1, set())
    user = _resource(2, {1})
    order = removal_order([new, old, user])
    assert order.index(old) < order.index(new)
    assert order.index(user) < order.index(new)
