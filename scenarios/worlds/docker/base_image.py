"""A base image where no registry can be reached: this machine's Python, with the libraries that it
and the lab need, and a shell.

`python -m scenarios.worlds.docker.base_image` makes it where it is not there yet, and prints its
name. What is the same file by file has the same name, on whatever day it is made.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import cache_from_source
from pathlib import Path, PurePosixPath

import docker
from docker.errors import ImageNotFound

REPOSITORY = "dtms-lab-base"
PACKAGES = PurePosixPath("usr/local/lib/lab-packages")
"""Not site-packages: which folder of that name Python looks into differs between builds of it."""
SHELL = Path("/bin/sh")
OPENED_LATE = ("libgcc_s.so.1", "libnss_dns.so.2", "libnss_files.so.2")
"""What the C library opens when it needs it, and names nowhere."""
NOT_OF_USE = frozenset({"__pycache__", "test", "tests", "idlelib", "tkinter", "ensurepip",
                        "lib2to3", "turtledemo", "site-packages", "dist-packages"})  # fmt: skip
REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)\s*(?:\[([^\]]*)\])?")
EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")
LIBRARY = re.compile(r"(?:=>\s*)?(/\S+)\s+\(0x")
ELF = b"\x7fELF"

Layout = Mapping[PurePosixPath, Path]
"""Where in the image which file of this machine goes."""


def base_image(engine: docker.DockerClient) -> str:
    """The name of the base image, which is made in a second or two if it is not there."""
    layout = plan()
    name = f"{REPOSITORY}:{digest(layout)}"
    try:
        engine.images.get(name)
    except ImageNotFound:
        with tempfile.TemporaryFile() as archive:
            write(layout, archive)
            archive.seek(0)
            engine.api.import_image_from_data(
                archive,
                *name.split(":"),
                changes=[
                    f"ENV PATH=/usr/local/bin:/bin PYTHONPATH=/{PACKAGES} LANG=C.UTF-8",
                    'CMD ["python"]',
                ],
            )
    return name


def plan() -> dict[PurePosixPath, Path]:
    """Every file that the image needs, sorted by where it goes."""
    layout = {PurePosixPath("bin/sh"): SHELL, **_compiled({**_interpreter(), **_packages()})}
    for library in _libraries(path for path in layout.values() if _is_binary(path)):
        layout.setdefault(PurePosixPath(str(library).lstrip("/")), library)
    return dict(sorted(layout.items()))


def digest(layout: Layout) -> str:
    """A name for what the image holds: sizes and times of change tell, as they do for make."""
    told = hashlib.sha256(f"{sys.version} {PACKAGES}".encode())
    for place, path in layout.items():
        stat = path.stat()
        told.update(f"{place} {path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return told.hexdigest()[:16]


def write(layout: Layout, archive: io.IOBase) -> None:
    """The image's file system as a tar archive; the same layout makes the same bytes."""
    with tarfile.open(fileobj=archive, mode="w", dereference=True) as tar:
        for folder, mode in (("tmp", 0o1777), ("etc", 0o755), ("root", 0o700)):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        passwd = b"root:x:0:0:root:/root:/bin/sh\n"
        entry = tarfile.TarInfo("etc/passwd")
        entry.size, entry.mode = len(passwd), 0o644
        tar.addfile(entry, io.BytesIO(passwd))
        for name in ("python", "python3"):
            link = tarfile.TarInfo(f"usr/local/bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, _executable_name()
            tar.addfile(link)
        for place, path in layout.items():
            entry = tar.gettarinfo(path, str(place))
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            entry.mtime = int(entry.mtime)
            with path.open("rb") as file:
                tar.addfile(entry, file)


def _executable_name() -> str:
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def _interpreter() -> dict[PurePosixPath, Path]:
    stdlib = Path(sysconfig.get_path("stdlib"))
    found = {PurePosixPath("usr/local/bin", _executable_name()): Path(sys.executable).resolve()}
    target = PurePosixPath("usr/local/lib", _executable_name())
    for folder, folders, files in os.walk(stdlib):
        folders[:] = [name for name in folders if name not in NOT_OF_USE]
        folders[:] = [name for name in folders if not name.startswith("config-")]
        for name in files:
            path = Path(folder, name)
            found[target / path.relative_to(stdlib).as_posix()] = path
    return found


def _compiled(layout: Layout) -> dict[PurePosixPath, Path]:
    """The same with what this machine's Python has compiled of it already: without that each start
    in a container takes seconds."""
    found = dict(layout)
    for place, path in layout.items():
        if path.suffix == ".py":
            compiled = Path(cache_from_source(str(path)))
            if compiled.exists():
                found[place.parent / "__pycache__" / compiled.name] = compiled
    return found


def _packages() -> dict[PurePosixPath, Path]:
    found = {}
    for package in _needed("dtms-lab"):
        for file in package.files or ():
            # What is beside the packages are programs, which nobody starts here.
            if ".." not in file.parts and "__pycache__" not in file.parts:
                path = Path(str(file.locate()))
                if path.is_file():
                    found[PACKAGES / file.as_posix()] = path
    return found


def _needed(project: str) -> list[Distribution]:
    """What the project needs to run, directly or not. A requirement that is not installed is one
    that is not for this machine. Raises `PackageNotFoundError` where the project is not."""
    found: dict[str, Distribution] = {}
    asked: set[tuple[str, str]] = set()
    todo = [(project, "")]
    while todo:
        name, extras = todo.pop()
        if (name, extras) in asked:
            continue
        asked.add((name, extras))
        try:
            package = distribution(name)
        except PackageNotFoundError:
            if name == project:
                raise
            continue
        if name != project:
            found[name] = package
        for requirement in package.requires or ():
            only_for = set(EXTRA.findall(requirement))
            named = REQUIREMENT.match(requirement)
            if named and (not only_for or only_for & set(extras.split(","))):
                todo.append((_normal(named[1]), ",".join(_words(named[2]))))
    return list(found.values())


def _words(extras: str | None) -> list[str]:
    return sorted(word.strip() for word in (extras or "").split(",") if word.strip())


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _is_binary(path: Path) -> bool:
    if ".so" not in path.name and not os.access(path, os.X_OK):
        return False
    with path.open("rb") as file:
        return file.read(4) == ELF


def _libraries(binaries: Iterable[Path]) -> list[Path]:
    """The shared libraries that they are linked with; those that come with a package are there."""
    ran = subprocess.run(
        ["ldd", *map(str, binaries)], capture_output=True, text=True, check=False, timeout=60
    )
    site = Path(sysconfig.get_path("platlib"))
    found = {Path(path) for path in LIBRARY.findall(ran.stdout)}
    found = {path for path in found if not path.is_relative_to(site)}
    for library in tuple(found):
        if library.name == "libc.so.6":
            late = (library.with_name(name) for name in OPENED_LATE)
            found |= {path for path in late if path.exists()}
    return sorted(found)


if __name__ == "__main__":
    print(base_image(docker.from_env()))  # noqa: T201
