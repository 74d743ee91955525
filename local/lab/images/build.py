"""Builds the root file system and the package repository of each variant, once, in the cache."""

import os
import re
import shutil
import time
from pathlib import Path

from local.lab.disk import layers
from local.lab.errors import LabError, NotToBeHad
from local.lab.images.variants import Variant
from local.lab.progress import Progress
from local.lab.run import run, tail
from local.lab.store import Places, all_records, locked

BUILD_LIMIT = 900.0
DOWNLOAD_LIMIT = 600.0

OLD_AFTER = 24 * 3600.0  # seconds after last use, then builds of an older recipe are removed

# In their own namespaces, so that a killed build leaves no processes or mounts behind.
_TIED = ("setpriv", "--pdeathsig", "KILL")
_PRIVATE = (*_TIED, "unshare", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child")

# goes before _CUSTOMISE; $4 is the draft, $5 the layers below it
_MOUNT_LAYERS = """\
set -eu
mount -t overlay -o "redirect_dir=on,lowerdir=$5,upperdir=$4/root,workdir=$4/work" stockade-lab "$1"
"""

# $1 root, $2 repository, $3 script
_CUSTOMISE = """\
set -eu
mkdir -p "$1/srv/apt"
mount --bind -o ro "$2" "$1/srv/apt"
mount -t proc proc "$1/proc"
exec chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
    /bin/sh -c "$3"
"""


def built_folder(places: Places, variant: Variant) -> Path:
    """The folder of a variant's root file system (`root`) and repository (`apt`), which may not exist yet."""
    return places.cache / f"{variant.name}-{variant.digest()}"


def build(places: Places, variant: Variant, progress: Progress) -> Path:
    """Build a variant unless it is in the cache. Atomic: it is built in a draft folder, which is then renamed.

    Returns:
        The folder with `root` and `apt`. If the variant has a base, `root` is a layer on top of `below`; `below` and
        `apt` are links into the base's folder.

    Raises:
        LabError: a step failed; its output is in `build.log` in the cache.
    """
    base = build(places, variant.base, progress) if variant.base else None
    final = built_folder(places, variant)
    if final.is_dir():
        os.utime(final)
        return final
    with locked(places.cache):
        if final.is_dir():  # another process built it while this one waited for the lock
            return final
        _remove_leftovers(places, variant)
        draft = places.cache / "draft"
        draft.mkdir()
        if base:
            with progress.step(f"preparing {variant.title} (once)"):
                _layer(variant, base, draft)
        else:
            _from_nothing(variant, draft, places.cache / "build.log", progress)
        draft.rename(final)
    return final


def _from_nothing(variant: Variant, draft: Path, log: Path, progress: Progress) -> None:
    mirror = _mirror(variant)
    with progress.step(f"building root file system {variant.title} (about a minute, once)"):
        _debootstrap(variant, mirror, draft / "root", log)
    with progress.step("downloading the packages that hosts may install (once)"):
        _make_repository(variant, mirror, draft)
    with progress.step("preparing the root file system (once)"):
        _customise(variant, draft)


def _layer(variant: Variant, base: Path, draft: Path) -> None:
    """Build the changes that `customise` makes to the base's root, as a layer on top of it."""
    for folder in ("root", "work", "whole"):
        (draft / folder).mkdir()
    (draft / "root").chmod(0o755)
    (draft / "apt").symlink_to(base / "apt")
    (draft / "below").symlink_to(base / "root")
    if variant.tools:
        tools = draft / "root/srv/tools"
        tools.mkdir(parents=True)
        try:
            _download(variant, _mirror(variant), layers(base)[-1], (variant.tools,), tools)
        except LabError as error:
            raise NotToBeHad(str(error)) from error
    lower = ":".join(map(str, layers(base)))
    parts = [str(draft / "whole"), str(base / "apt"), variant.customise, str(draft), lower]
    run(
        [*_PRIVATE, "sh", "-c", _MOUNT_LAYERS + _CUSTOMISE, "sh", *parts],
        limit=BUILD_LIMIT,
        name=f"making {variant.name}",
    )
    shutil.rmtree(draft / "work")
    (draft / "whole").rmdir()


def _remove_leftovers(places: Places, variant: Variant) -> None:
    """Remove the draft of a killed build, and unused builds of older recipes."""
    shutil.rmtree(places.cache / "draft", ignore_errors=True)
    built = {record.built for record in all_records(places)}
    used = {str(layer.parent) for folder in built for layer in layers(Path(folder))}
    for folder in places.cache.glob(f"{variant.name}-*"):
        if str(folder) not in used and time.time() - folder.stat().st_mtime > OLD_AFTER:
            shutil.rmtree(folder)


def _mirror(variant: Variant) -> str:
    """The mirror that this machine's own apt uses for the suite, so that proxies and company mirrors work."""
    listed = run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Created-By: Packages"],
        check=False,
    ).stdout
    for line in listed.splitlines():
        uri, *rest = line.split()
        if rest == [variant.suite, "main"] and uri.startswith(("http://", "https://", "file:")):
            return uri.rstrip("/")
    return variant.mirror


def _environment() -> dict[str, str]:
    """Our environment, with apt's proxy for debootstrap's wget, and without fsync in dpkg: a draft may be lost."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "DPKG_FORCE": "unsafe-io", "LC_ALL": "C"}
    proxy = re.search(r"='([^']+)'", run(["apt-config", "shell", "P", "Acquire::http::Proxy"], check=False).stdout)
    if proxy and proxy[1] != "DIRECT":
        env.setdefault("http_proxy", proxy[1])
    return env


def _debootstrap(variant: Variant, mirror: str, root: Path, log: Path) -> None:
    argv = [*_PRIVATE, "debootstrap", "--variant=minbase", f"--include={','.join(variant.include)}"]
    if Path(variant.keyring).exists():
        argv.append(f"--keyring={variant.keyring}")
    done = run([*argv, variant.suite, str(root), mirror], env=_environment(), limit=BUILD_LIMIT, check=False)
    log.write_text(done.stdout + done.stderr)
    if done.returncode != 0:
        problems = [line for line in done.stdout.splitlines() if line.startswith(("E:", "W:"))]
        said = " | ".join(problems[-3:]) or tail(done.stdout + done.stderr)
        raise LabError(f"debootstrap of {variant.suite} from {mirror} failed ({log}): {said}")


def _make_repository(variant: Variant, mirror: str, draft: Path) -> None:
    """A flat repository of all packages in the root, and those of `variant.repository` with their dependencies. Each
    of the latter is requested separately, because some of them conflict."""
    root, repository = draft / "root", draft / "apt"
    repository.mkdir()
    _download(variant, mirror, root, tuple((name,) for name in variant.repository), repository)
    for package_file in (root / "var/cache/apt/archives").glob("*.deb"):
        package_file.replace(repository / package_file.name)
    _index(variant, repository)


def _download(variant: Variant, mirror: str, root: Path, requests: tuple[tuple[str, ...], ...], into: Path) -> None:
    """Download the packages of each request together, with all dependencies that `root` lacks."""
    work = into.parent / "download"
    for folder in (work / "lists" / "partial", work / "archives" / "partial"):
        folder.mkdir(parents=True)
    signed = f"signed-by={variant.keyring}" if Path(variant.keyring).exists() else "trusted=yes"
    (work / "sources.list").write_text(f"deb [{signed}] {mirror} {variant.suite} main\n")
    settings = {
        "Dir::State::lists": work / "lists",
        "Dir::State::status": root / "var/lib/dpkg/status",
        "Dir::State::extended_states": work / "extended_states",
        "Dir::Cache": work,
        "Dir::Cache::archives": work / "archives",
        "Dir::Etc::sourcelist": work / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "APT::Install-Recommends": "false" if variant.tools else "true",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    apt = [*_TIED, "apt-get", "-y", *(part for key, value in settings.items() for part in ("-o", f"{key}={value}"))]
    env = _environment()
    run([*apt, "update"], limit=DOWNLOAD_LIMIT, env=env, name=f"apt-get update from {mirror}")
    for packages in requests:
        argv = [*apt, "--download-only", "install", *packages]
        run(argv, limit=DOWNLOAD_LIMIT, env=env, name=f"downloading {' '.join(packages)} from {mirror}")
    for package_file in (work / "archives").glob("*.deb"):
        package_file.replace(into / package_file.name)
    shutil.rmtree(work)


def _index(variant: Variant, repository: Path) -> None:
    """Write Packages and Release, with the origin of Debian's own repositories, which unattended-upgrades checks."""
    script = """\
set -eu
cd "$1"
apt-ftparchive packages . >Packages
f=APT::FTPArchive::Release
apt-ftparchive -o "$f::Origin=Debian" -o "$f::Label=Debian" -o "$f::Codename=$2" -o "$f::Components=main" \
    release . >.Release
mv .Release Release
"""
    run(["sh", "-c", script, "sh", str(repository), variant.suite], limit=BUILD_LIMIT, name="apt-ftparchive")


def _customise(variant: Variant, draft: Path) -> None:
    argv = [*_PRIVATE, "sh", "-c", _CUSTOMISE, "sh", str(draft / "root"), str(draft / "apt"), variant.customise]
    run(argv, limit=BUILD_LIMIT, name="the last step of the recipe")
    for leftover in ("var/cache/apt/archives", "tmp"):
        for entry in (draft / "root" / leftover).glob("*.deb"):
            entry.unlink()
