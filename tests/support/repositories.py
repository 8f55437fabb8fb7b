"""Repositories of git, as a user has them, with an app in several versions."""

import hashlib
import os
import subprocess
from pathlib import Path

APP = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": {body!r}}})
"""
PLAN = """
name = "shop"
blocks = 1
measure_s = 0.2

[[targets]]
name = "app"
app = "shop:app"
cwd = "."

[[scenarios]]
name = "home"
closed = [1]
requests = [{ path = "/" }]
"""
WHO = {"NAME": "A", "EMAIL": "a@example.com", "DATE": "2026-01-17T12:00:00+00:00"}
COMMITTER = {f"GIT_{role}_{key}": of for role in ("AUTHOR", "COMMITTER") for key, of in WHO.items()}


def git(folder: Path, *arguments: str) -> str:
    """Run a command of git in `folder`, and return what it prints."""
    command = ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always"]
    done = subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env=os.environ | COMMITTER,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def make_repository(folder: Path) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet")
    return folder


def commit(root: Path, subject: str = "Change", **files: str) -> str:
    """Write files, whose names end before `__`, commit everything, and return the commit."""
    for name, text in files.items():
        write(root / name.replace("__", "."), text)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "-m", subject)
    return git(root, "rev-parse", "HEAD")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")


def app(body: str) -> str:
    """Return the source of an app that responds with `body`."""
    return APP.format(body=body.encode())


def digest(root: Path) -> dict[str, str]:
    """Return type, mode, time and content of everything below `root`, `.git` too."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content = str(path.readlink()) if path.is_symlink() else ""
        if path.is_file() and not path.is_symlink():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path.relative_to(root))] = f"{status.st_mode} {status.st_mtime_ns} {content}"
    return found


def files(root: Path) -> dict[str, str]:
    """Return the contents of the files below `root` but `.git`; of a link, where it leads."""
    return {
        str(path.relative_to(root)): (
            f"-> {path.readlink()}" if path.is_symlink() else path.read_text(encoding="utf-8")
        )
        for path in root.rglob("*")
        if ".git" not in path.relative_to(root).parts and (path.is_symlink() or path.is_file())
    }
