"""This machine's iptables answers a sample as recorded (tests/kernel/language). All cases: `make test-language`."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest

from rules.values.family import Family
from tests.kernel.language.compare import ours
from tests.kernel.language.grammar_matches import MATCHES
from tests.kernel.language.grammar_targets import TARGETS
from tests.kernel.language.judge import ask_all, versions
from tests.kernel.language.recorded import BACKENDS, COLUMNS, FILE, read
from tests.kernel.tables import missing

pytestmark = pytest.mark.lab
_SAMPLE = 1000
# Depend on the kernel's configuration or on objects of the running system.
_VARIES = re.compile(r"-j (LED|ULOG|CLUSTERIP|TRACE|SECMARK|CT)|-m (nfacct|cgroup|osf)|-owner")
# Extensions of iptables without cases.
_NOT_ASKED = {
    "ipvs": "few kernels have it, and nothing is known of its options",
    "standard": "the verdicts, which the rules without an extension try",
    "NAT": "DNAT and SNAT in one file",
}


def _names(directory: Path) -> set[str]:
    found = (re.fullmatch(r"lib(?:xt|ipt|ip6t)_(\w+)\.so", path.name) for path in directory.glob("*.so"))
    return {each[1] for each in found if each is not None}


@pytest.fixture(autouse=True)
def _tools() -> None:
    for backend in BACKENDS:
        if reason := missing(backend):
            pytest.skip(reason)


def test_a_sample_is_answered_as_recorded() -> None:
    recorded_with, records = read(FILE.read_text())
    if versions() != recorded_with:
        pytest.skip(f"recorded with {recorded_with}, here is {versions()}")
    steady = [record for record in records if _VARIES.search(record.case.rule) is None]
    sample = Random(18).sample(steady, _SAMPLE)
    cases = [record.case for record in sample]
    likely = {family: [ours(case, family).text is not None for case in cases] for family in Family}
    said = ask_all(cases, likely)
    for number, record in enumerate(sample):
        assert {column: said[column][number] for column in COLUMNS} == record.said, record.case


def test_every_extension_of_this_iptables_is_asked_about() -> None:
    directories = [path for path in Path("/usr/lib").glob("**/xtables") if path.is_dir()]
    if not directories:
        pytest.skip("there is no folder of iptables' extensions")
    asked = {subject.flag.split()[1] for subject in (*MATCHES, *TARGETS)}
    assert set().union(*map(_names, directories)) - asked == set(_NOT_ASKED) & set().union(*map(_names, directories))
