"""The model that the hosts are compared with (tests/life): what is in force after a run."""

from dataclasses import replace

from tests.life.world import BARE, CHAPTERS, Dirt, Machine, Wanted, World

WANTED = Wanted(firewall=frozenset({8080}), sshd="one", deploy=(0,), guest=1)


def world() -> World:
    names = ("one", "two", "three")
    made = World({name: Machine(name) for name in names}, {"alpha": "one", "beta": "two"}, WANTED)
    made.applied()
    return made


def seen(wanted: Wanted, keys: tuple[int, ...]) -> dict[str, object]:
    return {name: fact for chapter in CHAPTERS for name, fact in wanted.facts(chapter, keys).items()}


def test_after_success_nothing_else_may_be_in_force() -> None:
    life = world()
    one = life.machines["one"]
    assert not life.missing(one, seen(WANTED, life.keys))
    assert life.missing(one, seen(replace(WANTED, firewall=frozenset()), life.keys))
    assert life.missing(life.machines["three"], seen(WANTED, life.keys))


def test_a_run_that_broke_off_leaves_the_old_or_the_new_in_each_chapter() -> None:
    life = world()
    old, life.wanted = WANTED, replace(WANTED, sshd="two", firewall=frozenset({9000}))
    life.broke_off(killed=True)
    one = life.machines["one"]
    for facts in (old, life.wanted, replace(old, sshd="two")):
        assert not life.missing(one, seen(facts, life.keys))
    assert life.missing(one, seen(replace(old, firewall=None), life.keys))
    life.applied()
    assert life.missing(one, seen(old, life.keys))


def test_a_machine_that_lost_its_name_is_left_and_one_whose_name_is_gone_is_given_back() -> None:
    life = world()
    life.declared = {"alpha": "three"}
    life.applied()
    assert life.missing(life.machines["one"], seen(BARE, life.keys))
    assert life.machines["two"].bare
    life.declared = {"alpha": "one"}
    life.applied()
    life.destroyed()
    assert life.machines["one"].bare
    assert not life.machines["three"].bare


def test_what_drifted_is_left_out_until_a_refresh_has_seen_it() -> None:
    life = world()
    one, facts = life.machines["one"], seen(replace(WANTED, sshd="hand"), life.keys)
    one.dirt["sshd"] = Dirt("by hand", undo="true")
    assert not life.missing(one, facts)
    life.applied()
    assert not life.missing(one, facts)
    assert not one.dirt["sshd"].undo
    life.refreshed()
    assert life.missing(one, facts)
    assert not life.missing(one, facts, hidden=True)
    life.applied()
    assert life.missing(one, facts)
    assert not one.dirt
