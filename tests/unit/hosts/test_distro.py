"""os-release files as distributions ship them."""

import pytest

from hosts.distro import Distro, parse, supported
from hosts.errors import NotSupported


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n',
            Distro("debian", "12", "debian"),
        ),
        ('ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n', Distro("ubuntu", "24.04", "debian")),
        ("ID=linuxmint\nID_LIKE='ubuntu debian'\nVERSION_ID=22\n", Distro("linuxmint", "22", "debian")),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n', Distro("rocky", "9.4", "redhat")),
        ("# comment\nID=arch\nBUILD_ID=rolling\n", Distro("arch", "", "arch")),
        ("ID=weird\nNAME='unfinished\n", Distro("weird", "", "")),
        ("", Distro("linux", "", "")),
    ],
)
def test_parse(text: str, expected: Distro) -> None:
    assert parse(text) == expected


def test_only_what_chapters_know_is_supported() -> None:
    debian = Distro("debian", "12", "debian")
    assert supported(debian) is debian
    with pytest.raises(NotSupported, match=r"web1: rocky 9.4 is not supported\n  Supported: Debian"):
        supported(Distro("rocky", "9.4", "redhat"), host="web1")
