"""Results kept from run to run, so that a long series can be measured in parts (`--add`)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.series import Sample


@dataclass
class Kept:
    """The samples of one or more commands, and the versions of the measured tools."""

    samples: list[Sample] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, file: Path, tools: Sequence[str], hosts: Sequence[int]) -> "Kept":
        """Return what is kept, without the combinations of tools and host counts that are now measured again."""
        found = json.loads(file.read_text()) if file.is_file() else {}
        samples = [Sample(**sample) for sample in found.get("samples", ())]
        left = [sample for sample in samples if sample.tool not in tools or sample.hosts not in hosts]
        return cls(left, found.get("versions", {}), found.get("commands", [])) if left else cls()

    def begin(self, command: str, versions: Mapping[str, str]) -> None:
        """Record what is being measured; a tool measured in two versions has both."""
        self.commands.append(command)
        for tool, version in versions.items():
            before = self.versions.get(tool, version)
            self.versions[tool] = version if version in before else f"{before} and {version}"

    def write(self, file: Path) -> None:
        """Write the results."""
        samples = [asdict(sample) for sample in self.samples]
        file.write_text(json.dumps({"samples": samples, "versions": self.versions, "commands": self.commands}))
