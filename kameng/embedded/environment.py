"""Where the settings get addresses and secrets from when nobody has set them.

In production every value comes from the environment, nothing is made up here, and what is missing or weak is refused.
"""

import base64
import contextlib
import fcntl
import json
import os
import secrets
import threading
from collections.abc import MutableMapping
from pathlib import Path

from kameng.embedded import paths
from kameng.embedded.console import Refused
from kameng.embedded.production import demand

#: Commands that need the settings but neither database nor Redis.
OFFLINE_COMMANDS = frozenset({
    "--help", "--version", "-h", "check", "collectstatic", "compilemessages", "diffsettings", "help", "lint",
    "makemessages", "makemigrations", "migrations_check", "sandbox", "screening_figures", "spectacular", "translations",
    "version",
})  # fmt: skip
#: Commands that use the database where there is one, and do without where nothing runs.
OPTIONAL_COMMANDS = frozenset({"screen"})
SECRETS = ("SECRET_KEY", "ENCRYPTION_KEY", "DIGEST_KEY")
#: Port 1 refuses at once: a command that was thought to need no server and uses one fails instead of hanging.
UNREACHABLE = {"DATABASE_URL": "postgres://offline@127.0.0.1:1/offline", "REDIS_URL": "redis://127.0.0.1:1/0"}


class NothingRunning(Refused):
    """Neither embedded servers are running nor addresses of others are set."""


def production(environ: MutableMapping[str, str]) -> bool:
    """Whether the environment says that this is the real thing."""
    return environ.get("KAMENG_ENV") == "production"


def load(environ: MutableMapping[str, str]) -> None:
    """Set DATABASE_URL, REDIS_URL, SECRET_KEY, ENCRYPTION_KEY and DIGEST_KEY where they are absent.

    Addresses are those of the servers that a running `manage.py up` has started; with KAMENG_OFFLINE set, ones that
    nothing answers. Secrets are made once and kept in `var/secrets.json`. In production it only looks at what is there.

    Raises `NothingRunning`, or `Refused` in production.
    """
    if production(environ):
        demand(environ)
        return
    if any(not environ.get(name) for name in SECRETS):
        made_up = _secrets()
        environ.update({name: made_up[name] for name in SECRETS if not environ.get(name)})
    absent = [name for name in ("DATABASE_URL", "REDIS_URL") if not environ.get(name)]
    if absent:
        known = UNREACHABLE if environ.get("KAMENG_OFFLINE") else addresses()
        environ.update({name: known[name] for name in absent})


def addresses() -> dict[str, str]:
    """DATABASE_URL and REDIS_URL as used by the `manage.py up` that is running. Raises `NothingRunning`."""
    if running() is not None:
        try:
            text = servers_file().read_text(encoding="utf-8")
        except PermissionError as error:
            raise NothingRunning(f"`up` was started by another user, and {error.filename} is theirs") from error
        except FileNotFoundError:
            pass
        else:
            return {str(name): str(value) for name, value in json.loads(text).items()}
    raise NothingRunning("nothing is running: start `python3 manage.py up`, or set DATABASE_URL and REDIS_URL")


def running() -> dict[str, object] | None:
    """What the `up` of this checkout says of itself (`pid`, `url`), or nothing where none is running.

    Judged by the lock that it holds, not by a process number: those are used again.
    """
    try:
        with lock_file().open("r", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read()
            else:
                return None
    except OSError:
        return None
    try:
        return dict(json.loads(text))
    except ValueError:
        return {}  # it is just writing it


def lock_file() -> Path:
    """Locked by `up` as long as it runs."""
    return paths.var() / "run" / "up.lock"


def servers_file() -> Path:
    """Addresses with passwords, readable by the owner only."""
    return paths.var() / "run" / "servers.json"


def _secrets() -> dict[str, str]:
    path = paths.var() / "secrets.json"
    if not path.exists():
        values = (
            secrets.token_urlsafe(48),
            base64.b64encode(secrets.token_bytes(32)).decode(),
            secrets.token_urlsafe(32),
        )
        draft = path.with_name(f"secrets.{os.getpid()}.{threading.get_ident()}.json")
        paths.write_private(draft, json.dumps(dict(zip(SECRETS, values, strict=True)), indent=2) + "\n")
        # A link fails where the name exists: of several processes at once, one wins and all read the same.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    try:
        known: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except PermissionError as error:
        raise Refused(f"{path} belongs to another user: run this as they do, or set KAMENG_VAR") from error
    return known
