"""Make the files of a release: `python -m plugin.release FOLDER`.

The plugin is one archive with PulumiPlugin.yaml at its root, which `pulumi plugin install` takes. It has no compiled
code, so it is the same on every machine; the CLI looks for a file of the machine's own name. The same checkout always
gives the same bytes. FOLDER also gets the schema, from which SDKs are generated.
"""

import argparse
import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.core.served import PACKAGE
from plugin import schema

CHECKOUT = schema.CHECKOUT
ROOMS = ("components", "hosts", "rules", "provider", "plugin")
"""The code that the plugin runs."""
AT_THE_ROOT = ("plugin/PulumiPlugin.yaml", "plugin/requirements.txt", "plugin/README.md", "LICENSE")
MACHINES = ("linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64")
MAIN = """import runpy
from pathlib import Path

if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).resolve().parent / "plugin" / "__main__.py"), run_name="__main__")
"""


class ReleaseError(Exception):
    """The checkout is not one to release."""


def ready(tag: str, version: str, changelog: str) -> None:
    """Raise `ReleaseError` unless the tag is that of the version, and the changelog has it."""
    if tag != f"v{version}":
        raise ReleaseError(f"the tag is {tag}, but the version in pyproject.toml is {version}: they must be the same")
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.M):
        raise ReleaseError(f"CHANGELOG.md has no section '## [{version}] - YYYY-MM-DD'")


def described(repository: str) -> dict[str, Any]:
    """Return the schema, with where this release is to be had."""
    found = schema.package()
    if not repository:
        return found
    owner, _, name = repository.rstrip("/").removesuffix(".git").partition("github.com/")[2].partition("/")
    if not name:
        raise ReleaseError(f"{repository}: not of the form https://github.com/ORG/NAME")
    home = f"github.com/{owner}/{name}"
    found |= {
        "publisher": owner,
        "homepage": f"https://{home}",
        "repository": f"https://{home}",
        "logoUrl": f"https://raw.githubusercontent.com/{owner}/{name}/v{found['version']}/docs/logo.png",
        "pluginDownloadURL": f"github://api.github.com/{owner}/{name}",
    }
    modules = {"modulePath": f"{home}/sdk/go", "importBasePath": f"{home}/sdk/go/{PACKAGE}"}
    found["language"] = {**found["language"], "go": {**found["language"]["go"], **modules}}
    return found


def archive(text: str) -> bytes:
    """Return the plugin's archive; `text`: its schema."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0, filename="") as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, content, executable in sorted(_members(text)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755 if executable else 0o644
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def _members(text: str) -> Iterator[tuple[str, bytes, bool]]:
    for name in AT_THE_ROOT:
        yield Path(name).name, (CHECKOUT / name).read_bytes(), False
    yield "__main__.py", MAIN.encode(), False
    left_out = {*AT_THE_ROOT, "plugin/schema.json", "plugin/release.py"}
    for name in tracked():
        if name not in left_out:
            file = CHECKOUT / name
            yield name, file.read_bytes(), bool(file.stat().st_mode & 0o100)
    yield "plugin/schema.json", text.encode(), False


def tracked() -> list[str]:
    """Return the files under version control."""
    git = ["git", "-C", str(CHECKOUT), "ls-files", "-z", "--", *ROOMS]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"a release is made from a checkout of git: {done.stderr.strip()}")
    return sorted(filter(None, done.stdout.split("\0")))


def write(folder: Path, repository: str = "") -> list[Path]:
    """Write the release's files; return them."""
    folder.mkdir(parents=True, exist_ok=True)
    found = described(repository)
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    packed = archive(text)
    stem = f"pulumi-resource-{PACKAGE}-v{found['version']}"
    contents = {f"{stem}-{machine}.tar.gz": packed for machine in MACHINES} | {"schema.json": text.encode()}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


def summed(folder: Path) -> str:
    """Return the checksums of a folder's files, in the form of sha256sum(1)."""
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.name != "SHA256SUMS")
    return "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)


def notes(version: str, changelog: str) -> str:
    """Return a version's section of the changelog."""
    found = re.search(rf"^## \[{re.escape(version)}\].*?\n(.*?)(?=^## |^\[|\Z)", changelog, re.M | re.S)
    return found[1].strip() + "\n" if found else ""


def main(argv: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m plugin.release", description="Make the files of a release.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tag", help="refuse any other version than this tag's")
    parser.add_argument("--repository", default="", help="where releases are to be had: https://github.com/ORG/NAME")
    parser.add_argument("--sums", action="store_true", help="only write SHA256SUMS over what the folder has")
    parser.add_argument("--notes", action="store_true", help="only print the version's section of the changelog")
    given = parser.parse_args(argv)
    changelog, version = (CHECKOUT / "CHANGELOG.md").read_text("utf-8"), schema.version()
    try:
        if given.notes:
            sys.stdout.write(notes(version, changelog))
        elif given.sums:
            (given.folder / "SHA256SUMS").write_text(summed(given.folder), "utf-8")
        else:
            if given.tag:
                ready(given.tag, version, changelog)
            for file in write(given.folder, given.repository):
                print(file)
    except ReleaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
