"""Under which account the servers run. PostgreSQL refuses to run as root, and no server here needs to."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from kameng.embedded.console import Refused

DEDICATED = "kameng"
SYSTEM_UIDS = range(1, 1000)


@dataclass(frozen=True)
class Account:
    """An account of the operating system."""

    name: str
    uid: int
    gid: int


def unprivileged() -> Account | None:
    """The account to drop to, or None where this process is not root and servers run as itself.

    A dedicated system account where one may be made, because `nobody` is shared with other services.
    """
    if os.geteuid() != 0:
        return None
    account = _find(DEDICATED)
    if account is None and shutil.which("useradd"):
        make = ["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin"]
        subprocess.run([*make, DEDICATED], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        account = _find(DEDICATED)
    if account is None or account.uid not in SYSTEM_UIDS:
        account = _find("nobody")  # no account may be made, or a person has this name
    if account is None:
        raise Refused("PostgreSQL does not run as root and there is no account to drop to: run this as a normal user")
    return account


def reaches(account: Account | None, path: Path) -> bool:
    """Whether `account` may enter the folder, or run the program, at `path`: tried, not calculated."""
    if account is None:
        return os.access(path, os.X_OK)
    try:
        tried = subprocess.run(
            ["/usr/bin/test", "-x", path],
            cwd="/",
            env={},
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            check=False,
        )
    except PermissionError as error:
        raise Refused(
            "root's rights cannot be dropped here (no such account in this container): use a normal user"
        ) from error
    return tried.returncode == 0


def give(path: Path, account: Account | None) -> None:
    """Make `account` the owner of one file or folder."""
    if account is not None:
        os.chown(path, account.uid, account.gid)


def name(uid: int) -> str:
    """What a person calls the owner of a file."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _find(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)
