"""Where servers keep their data, such that the account they run under can reach it."""

import hashlib
import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from kameng.embedded import accounts, paths
from kameng.embedded.accounts import Account
from kameng.embedded.console import Refused

OUTSIDE = Path("/var/lib")


@dataclass(frozen=True)
class Storage:
    """`home` holds what the servers need, `account` is who they run as (None: the one who started them)."""

    home: Path
    account: Account | None

    def program(self, original: Path, *, tree: Path | None = None, beside: tuple[Path, ...] = ()) -> Path:
        """A path at which the account can run `original`: itself, or a copy under `home`.

        `tree` is the folder that must come along (default: the file alone), with its neighbours `beside`; depths below
        the common parent are kept, because binaries find their libraries by a relative path (RPATH `$ORIGIN/../../..`).
        """
        if accounts.reaches(self.account, original):
            return original
        root = tree or original
        version = hashlib.sha256(f"{root} {root.stat().st_mtime_ns} {original.stat().st_size}".encode()).hexdigest()[
            :12
        ]
        target = self.home / "programs" / version
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            target.parent.chmod(0o755)
            draft = target.with_name(f"{version}.{os.getpid()}")
            parent = root.parent.parent if tree else root.parent
            for source in (root, *beside):
                copy = draft / source.relative_to(parent)
                copy.parent.mkdir(parents=True, exist_ok=True)
                if source.is_dir():
                    shutil.copytree(source, copy, symlinks=True)
                else:
                    shutil.copy2(source, copy)
            _open_to_all(draft)
            draft.rename(target)
        return target / original.relative_to(root.parent.parent if tree else root.parent)

    def folder(self, name: str) -> Path:
        """A folder of the account's own that nobody else may enter."""
        path = self.home / name
        path.mkdir(mode=0o700, exist_ok=True)
        self.check_owner(path)
        return path

    def check_owner(self, path: Path) -> None:
        """Make root's new folder the account's. Raises `Refused` where it belongs to somebody else."""
        owner = path.stat().st_uid
        expected = self.account.uid if self.account else os.geteuid()
        if owner == 0 and self.account:
            accounts.give(path, self.account)
        elif owner != expected:
            raise Refused(f"{path} belongs to user {accounts.name(owner)}: run this as that user, or set KAMENG_VAR")


def choose(account: Account | None) -> Storage:
    """`var/`, or a folder under /var/lib where the account cannot enter `var/` (a checkout below /root)."""
    var = paths.var()
    var.mkdir(parents=True, exist_ok=True)
    if accounts.reaches(account, var):
        return Storage(home=var, account=account)
    home = OUTSIDE / f"kameng-{_mark(var)}"
    home.mkdir(exist_ok=True)
    home.chmod(0o711)
    return Storage(home=home, account=account)


def _open_to_all(folder: Path) -> None:
    """Whatever root's umask is, the account must be able to read and enter."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or os.access(path, os.X_OK) else 0o044))


def _mark(var: Path) -> str:
    """Names one `var/`: another one for a copy elsewhere, and a new one after `var/` was deleted to start afresh."""
    file = var / "storage.json"
    if not file.exists():
        paths.write_private(file, json.dumps({"id": secrets.token_hex(8)}))
    known = json.loads(file.read_text(encoding="utf-8"))
    return hashlib.sha256(f"{known['id']} {var}".encode()).hexdigest()[:12]
