"""`-m bpf --object-pinned`, of which no iptables can be asked without a mounted file system of BPF objects."""

import pytest

from rules.errors import RuleSyntaxError
from rules.language.parse import parse
from rules.language.render import render
from rules.values.family import Family


def _rule(options: str) -> str:
    text = render(parse(f"*filter\n-A INPUT -m bpf {options} -j DROP\nCOMMIT\n", Family.IPV4))
    return next(line for line in text.splitlines() if line.startswith("-A"))


@pytest.mark.parametrize("path", ["/sys/fs/bpf/x", '"/sys/fs/bpf/a b"', "/" + "x" * 510])
def test_an_object_is_named_by_its_path(path: str) -> None:
    assert _rule(f"--object-pinned {path}") == f"-A INPUT -m bpf --object-pinned {path} -j DROP"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ('--object-pinned ""', "the text has 0 bytes"),
        (f"--object-pinned {'x' * 512}", "the kernel keeps 511"),
        ('--object-pinned /x --bytecode "1,6 0 0 65535"', "one of --bytecode or --object-pinned"),
        ("", "lacks --bytecode or --object-pinned"),
    ],
)
def test_what_names_none_is_refused(options: str, why: str) -> None:
    with pytest.raises(RuleSyntaxError, match=why):
        _rule(options)
