"""The files of a release: reproducible, complete, and a plugin that runs away from any checkout."""

import hashlib
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from plugin import release, schema
from plugin.front import released
from tests.lab.examples import needs

from .served import REPOSITORY, UNKNOWN, served

HOME = "https://github.com/example/stockade"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release")
    release.write(folder, HOME)
    return folder


@pytest.fixture(scope="module")
def unpacked(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    shutil.unpack_archive(_archive(made), folder)
    return folder


def _archive(made: Path) -> Path:
    return made / f"pulumi-resource-stockade-v{schema.version()}-linux-amd64.tar.gz"


def test_the_plugin_runs_from_its_archive(unpacked: Path, tmp_path: Path) -> None:
    with served(tmp_path, unpacked) as engine:
        engine.configure(hosts={"web1": {"address": "198.51.100.11"}})
        assert engine.stub.GetPluginInfo(engine.empty).version == schema.version()
        assert engine.schema()["pluginDownloadURL"] == "github://api.github.com/example/stockade"
        urn = engine.urn("Sysctl", "web1")
        inputs, failures = engine.check(urn, {"host": "web1", "settings": "net.ipv4.tcp_syncookies = 1"})
        assert failures == []
        _, state = engine.create(urn, inputs, preview=True)
        assert state["observed"] == UNKNOWN


def test_the_archive_has_what_the_plugin_needs_and_nothing_else(unpacked: Path) -> None:
    there = {file.name for file in unpacked.iterdir()} - {"__pycache__"}
    files = {"PulumiPlugin.yaml", "requirements.txt", "__main__.py", "README.md", "LICENSE"}
    assert there == {*files, *release.ROOMS}  # a pyproject.toml would be installed, too
    assert not list(unpacked.rglob("test_*"))
    assert (unpacked / "provider" / "pulumi-resource-pulumi-python").stat().st_mode & 0o111


def test_the_same_checkout_gives_the_same_files(made: Path, tmp_path: Path) -> None:
    release.write(tmp_path, HOME)
    assert release.summed(tmp_path) == release.summed(made)
    names = [line.split("  ")[1] for line in release.summed(made).splitlines()]
    assert len(names) == 5
    assert names == sorted(names)


def test_checksums_are_those_of_the_files(made: Path) -> None:
    (made / "SHA256SUMS").unlink(missing_ok=True)
    assert release.main([str(made), "--sums"]) == 0
    for line in (made / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((made / name).read_bytes()).hexdigest() == digest


def test_the_version_is_in_one_place() -> None:
    """Files in which others want a version have that of pyproject.toml."""
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    assert schema.version() == released() == version
    assert yaml.safe_load((REPOSITORY / "policies" / "PulumiPolicy.yaml").read_text())["version"] == version
    documents = [*(REPOSITORY / "docs").glob("*.md"), REPOSITORY / "README.md"]
    told = {found for file in documents for found in re.findall(r"\bstockade v(\d+\.\d+\.\d+)", file.read_text())}
    assert told <= {version}


def test_a_tag_is_refused_unless_the_version_and_the_changelog_have_it() -> None:
    with pytest.raises(
        release.ReleaseError, match=r"the tag is v1\.2\.4, but the version in pyproject.toml is 1\.2\.3"
    ):
        release.ready("v1.2.4", "1.2.3", "## [1.2.3] - 2026-01-02")
    with pytest.raises(release.ReleaseError, match=r"CHANGELOG\.md has no section"):
        release.ready("v1.2.3", "1.2.3", "## [Unreleased]\n## [1.2.31] - 2026-01-02")
    release.ready("v1.2.3", "1.2.3", "## [Unreleased]\n\n## [1.2.3] - 2026-01-02\n")
    with pytest.raises(release.ReleaseError, match="not of the form"):
        release.described("https://gitlab.com/x")


def test_the_notes_of_a_release_are_its_section_of_the_changelog() -> None:
    changelog = (
        "# Changelog\n\n## [Unreleased]\n\n- new\n\n## [1.2.3] - 2026-01-02\n\n- a\n\n## [1.2.2] - 2026-01-01\n\n- b\n"
    )
    assert release.notes("1.2.3", changelog) == "- a\n"
    assert release.notes("1.2.2", changelog) == "- b\n"


def test_sdks_say_where_the_plugin_is_to_be_had(made: Path) -> None:
    found = json.loads((made / "schema.json").read_text())
    assert found["repository"] == HOME
    assert found["language"]["go"]["importBasePath"] == "github.com/example/stockade/sdk/go/stockade"
    assert found["logoUrl"] == f"https://raw.githubusercontent.com/example/stockade/v{schema.version()}/docs/logo.png"
    assert (REPOSITORY / "docs" / "logo.png").is_file()


@needs("python")
def test_the_cli_installs_the_archive(made: Path, tmp_path: Path) -> None:
    environment = {"PATH": f"{Path(str(shutil.which('pulumi'))).parent}:/usr/bin:/bin", "PULUMI_HOME": str(tmp_path)}
    archive, version = str(_archive(made)), f"v{schema.version()}"
    done = subprocess.run(
        ["pulumi", "plugin", "install", "resource", "stockade", version, "--file", archive],
        env={**environment, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    if "No matching distribution found" in done.stdout + done.stderr:
        pytest.skip("the machine cannot install Python packages")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "plugins" / f"resource-stockade-{version}"
    assert (folder / "PulumiPlugin.yaml").is_file()
    assert (folder / "venv").is_dir()
