"""Packages that Stockade needs on a host: installed in one transaction, removed again on delete if they were not there.

Source: the guide, "Configure a Firewall", Debian / Ubuntu: `apt-get install iptables-persistent`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi import ResourceOptions
from pulumi.dynamic import Resource
from pydantic import field_validator

from components.chapter import Chapter, ChapterInputs, Known, Model
from components.dynamic import HostProvider
from hosts.packages import APT, PACKAGE_NAME
from hosts.shell import Answer, Script

_ANSWERS = """\
for family in v4 v6; do # else the rules of the moment, bans included, are frozen into the boot file
    pkg_answer "iptables-persistent iptables-persistent/autosave_$family boolean false"
done
"""


class PackageInputs(ChapterInputs):
    """`present`: names of packages, sorted; each is installed with what it depends on, without asking anything."""

    present: tuple[str, ...] = ()

    @field_validator("present")
    @classmethod
    def _names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not PACKAGE_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a package name: lower-case letters, digits and + - . are expected")
        return tuple(sorted(set(names)))


class PackageFacts(Model):
    """`installed`: those of the wanted packages that are installed, with their versions."""

    installed: dict[str, str] = {}


class PackageChapter(Chapter[PackageInputs, PackageFacts]):
    """Installs what is missing; upgrades nothing that is there."""

    inputs = PackageInputs
    facts = PackageFacts

    def title(self, inputs: PackageInputs) -> str:
        return "packages"

    def observe(self, inputs: PackageInputs) -> Script:
        return Script(step="list packages", body=APT + "pkg_versions $packages", values=_values(inputs.present))

    def parse(self, inputs: PackageInputs, answer: Answer) -> PackageFacts:
        rows = (line.split() for line in answer.stdout.splitlines() if line.strip())
        return PackageFacts(installed={row[0]: row[1] for row in rows})

    def apply(self, inputs: PackageInputs, known: Known[PackageInputs, PackageFacts]) -> Script:
        return Script(
            step="install packages",
            body=APT + _ANSWERS + "pkg_install $packages",
            values=_values(inputs.present),
            timeout=900,
        )

    def restore(self, inputs: PackageInputs, known: Known[PackageInputs, PackageFacts]) -> Script:
        there = known.prior.installed if known.prior else inputs.present
        ours = [name for name in inputs.present if name not in there]
        return Script(
            step="remove the packages that were not there before",
            body=APT + "pkg_purge $packages",
            values=_values(ours),
            timeout=900,
        )

    def unmet(self, inputs: PackageInputs, seen: PackageFacts) -> str:
        missing = sorted(set(inputs.present) - set(seen.installed))
        return f"not installed: {', '.join(missing)}" if missing else ""

    def shown(
        self, inputs: PackageInputs, known: Known[PackageInputs, PackageFacts], seen: PackageFacts
    ) -> PackageInputs:
        return inputs.model_copy(update={"present": tuple(name for name in inputs.present if name in seen.installed)})


class PackageProvider(HostProvider[PackageInputs, PackageFacts]):
    """Pulumi's CRUD for `Packages`."""

    chapter = PackageChapter()


class Packages(Resource, module="stockade", name="Packages"):
    """Packages on one host.

    Properties: `host` (str), `connection`, `present` (list of package names).
    """

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(PackageProvider(), name, {"observed": None, "prior": None, **props}, opts)


def _values(names: Sequence[str]) -> dict[str, str]:
    return {"packages": " ".join(names)}
