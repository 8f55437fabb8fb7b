"""Environments beside the one of the tests: twinbench installed from its wheel, and of apps."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from twinbench.paths import ROOT


def make_environment(folder: Path) -> Path:
    """Make an empty virtual environment, and return its folder of packages."""
    venv.create(folder, symlinks=True)
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))


def add_packages(packages: Path) -> None:
    """Let an environment import the packages of this one; of twinbench, only what is installed.

    A link is as good as an installation for what is tested here, takes no network and no minute.
    The editable installation of twinbench is not found by it: no `.pth` file is read behind a link.
    """
    own = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "packages.pth").write_text("\n".join(sorted(own)) + "\n", encoding="utf-8")


def install_twinbench(folder: Path, wheels: Path) -> Path:
    """Install twinbench alone in a new environment, and return its folder of packages."""
    packages = make_environment(folder)
    pip = [sys.executable, "-m", "pip", "--quiet"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(ROOT)]
    subprocess.run([*pip, *build], check=True)
    [wheel] = wheels.glob("*.whl")
    into = ["--python", str(folder / "bin" / "python"), "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, *into, str(wheel)], check=True)
    return packages
