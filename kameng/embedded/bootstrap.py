"""From a bare Python to the project's own environment: `.venv`, exactly as `uv.lock` says; and a second one for tests.

Standard library only. Nothing is done when `.venv` already matches the lock file, which a stamp in it records.
"""

import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kameng.embedded import environment, paths
from kameng.embedded.console import Refused, clear_errors, step
from kameng.embedded.processes import die_with_parent

VENV = paths.ROOT / ".venv"
STAMP = VENV / "kameng.json"
#: Alipay's own SDK, as the other side of tests: its package has the name of another one's in `dev`, so it lives alone.
ALIPAY = paths.ROOT / ".venv-alipay"
PINNED_UV = Path(__file__).with_name("uv.txt")
#: When the command was given (seconds since the epoch): the re-executed program counts from there.
BEGUN = "KAMENG_BEGUN"
#: What a fresh `.venv` with every group takes, and what any start needs for data and logs; bytes.
PACKAGES_SPACE = 900 * 1024**2
START_SPACE = 200 * 1024**2
#: Commands that need the tools of the `dev` group (browser driver, type checker, …), about half of all that is fetched.
DEVELOPMENT_COMMANDS = frozenset({"test", "lint", "makemessages", "compilemessages", "translations"})
AUTHORITIES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/cert.pem"),
)
NO_NETWORK = re.compile(
    r".*(name resolution|temporary failure resolving|dns error|failed to lookup address|network is unreachable"
    r"|connection (refused|reset|timed out)|connect timeout|client error \(connect\)|newconnectionerror"
    r"|no matching distribution).*",
    re.IGNORECASE,
)
DISK_FULL = re.compile(r"no space left on device|os error 28|disk quota exceeded", re.IGNORECASE)


def ensure(command: str) -> None:
    """Return inside the up-to-date `.venv`, re-executing there if need be. Production brings its own packages.

    Raises `Refused`.
    """
    if environment.production(os.environ):
        return
    check_platform()
    keep_compiled()
    os.environ.setdefault(BEGUN, str(time.time()))
    with clear_errors():
        wanted = needed(command, done=read_stamp(), lock_digest=digest(PINNED_UV, paths.ROOT / "uv.lock"))
        if wanted is not None:
            with locked():
                install(command)
        if command == "test":
            with locked():
                install_alipay(digest(paths.ROOT / "uv.lock"))
    if Path(sys.prefix).resolve() != VENV.resolve():
        python = str(VENV / "bin" / "python")
        # The full path as the program's name: from a bare "python" it would not find its way back to the .venv.
        os.execv(python, [python, str(paths.ROOT / "manage.py"), *sys.argv[1:]])


def check_platform() -> None:
    """Refuse where the pinned wheels do not exist."""
    libc, version = platform.libc_ver()
    glibc = tuple(int(part) for part in version.split(".")[:2]) if libc == "glibc" else (0, 0)
    if sys.platform != "linux" or platform.machine() not in {"x86_64", "aarch64"} or glibc < (2, 28):
        here = f"{platform.system()} {platform.machine()} {libc} {version}".strip()
        raise Refused(
            f"Kameng runs on Linux (x86_64 or aarch64, glibc 2.28 or newer); this is {here}. Use docker-compose.yml"
        )


def keep_compiled() -> None:
    """Whatever the shell says, this process and those it starts keep what they compile: each of them loads the same
    thousand modules, and compiling those takes longer than all the rest of a start."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def digest(*files: Path) -> str:
    """One fingerprint of the contents of `files`."""
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def read_stamp() -> dict[str, object]:
    """What the last sync installed: `{"digest": …, "groups": […]}`, or nothing."""
    if not (VENV / "bin" / "python").exists():
        return {}  # also where the Python that it points to has been removed
    try:
        return dict(json.loads(STAMP.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def needed(command: str, *, done: dict[str, object], lock_digest: str) -> list[str] | None:
    """The groups to install for `command`, or None where nothing is missing. What is installed stays installed."""
    present = done.get("groups")
    groups = {str(group) for group in present} if isinstance(present, list) else set()
    wanted = groups | {"embedded"} | ({"dev"} if command in DEVELOPMENT_COMMANDS else set())
    if not done and (VENV / "bin" / "python").exists():
        wanted |= {"dev"}  # made by hand: take nothing out of it
    return None if wanted == groups and done.get("digest") == lock_digest else sorted(wanted)


def install(command: str) -> None:
    """Make `.venv` what `command` needs. Called with the lock held; another run may have done it meanwhile."""
    lock_digest = digest(PINNED_UV, paths.ROOT / "uv.lock")
    groups = needed(command, done=read_stamp(), lock_digest=lock_digest)
    if groups is None:
        return
    free = shutil.disk_usage(paths.ROOT).free
    if not STAMP.exists() and free < PACKAGES_SPACE:
        raise Refused(
            f"the disk is full: {free // 1024**2} MB are free under {paths.ROOT}, "
            f"the packages need {PACKAGES_SPACE // 1024**2} MB"
        )
    if not _has_uv():
        require_venv_module()
        with step("virtual environment in .venv"):
            run([sys.executable, "-m", "venv", str(VENV)])
        with step("package installer uv"):
            pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input", "--require-hashes"]
            run([*pip, "--disable-pip-version-check", "--requirement", str(PINNED_UV)])
    with step("packages from uv.lock"):
        names = [argument for group in groups for argument in ("--group", group)]
        run([str(VENV / "bin" / "uv"), "sync", "--frozen", "--quiet", "--no-default-groups", *names])
    paths.write_private(STAMP, json.dumps({"digest": lock_digest, "groups": groups}))


def install_alipay(lock_digest: str) -> None:
    """Make `.venv-alipay` what `uv.lock` says of it. Called with the lock held, after `.venv` has the installer."""
    stamp = ALIPAY / "kameng.json"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == lock_digest and (ALIPAY / "bin" / "python").exists():
        return
    with step("Alipay's own SDK in .venv-alipay"):
        python = ["--python", str(VENV / "bin" / "python")]
        run([str(VENV / "bin" / "uv"), "sync", "--frozen", "--quiet", "--only-group", "alipay", *python], into=ALIPAY)
    paths.write_private(stamp, lock_digest)


def require_venv_module() -> None:
    """Debian leaves it out of its Python: install it as root, else say how. Raises `Refused`."""
    if importlib.util.find_spec("venv") is not None and importlib.util.find_spec("ensurepip") is not None:
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Refused(f"Python's venv module is missing: run `sudo apt-get install {package}`, then this again")
    with step(f"{package} from Debian (the venv module is missing)"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "-qq", "update"], env=quiet)
        run(["apt-get", "-qq", "install", "--yes", "--no-install-recommends", package], env=quiet)


def run(command: Sequence[str], *, env: dict[str, str] | None = None, into: Path = VENV) -> None:
    """Run an installer quietly. Raises `Refused` with the reason in one line."""
    settings = {
        # uv looks at its own list of authorities otherwise, and fails behind a company's proxy. A bare system has none.
        **({"UV_SYSTEM_CERTS": "1"} if os.environ.get("SSL_CERT_FILE") or any(map(Path.exists, AUTHORITIES)) else {}),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_PROJECT_ENVIRONMENT": str(into),
        "VIRTUAL_ENV": str(into),
    }
    done = subprocess.run(
        command,
        cwd=paths.ROOT,
        env={**(env or os.environ), **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        preexec_fn=die_with_parent(),
    )
    if done.returncode != 0:
        raise Refused(explain(command, output=f"{done.stdout}\n{done.stderr}"))


def explain(command: Sequence[str], *, output: str) -> str:
    """Say in one line why an installer failed."""
    verb = f"-m {command[2]}" if command[1] == "-m" else next(word for word in command[1:] if not word.startswith("-"))
    name = f"{Path(command[0]).name} {verb}"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    last = lines[-1] if lines else "it said nothing"
    if DISK_FULL.search(output):
        return f"the disk is full: {name} could not write ({last})"
    if refused := NO_NETWORK.search(output):
        return f"no network: {name} could not fetch packages ({refused[0].strip()})"
    return f"{name} failed: {last}"


@contextmanager
def locked() -> Iterator[None]:
    """Two commands started at once do not install into the same folder."""
    with (paths.ROOT / "uv.lock").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _has_uv() -> bool:
    uv, python = VENV / "bin" / "uv", VENV / "bin" / "python"
    version = PINNED_UV.read_text(encoding="utf-8").split("uv==")[1].split()[0]
    if not (uv.exists() and python.exists()):
        return False
    found = subprocess.run([uv, "--version"], capture_output=True, text=True, check=False)
    return found.stdout.split()[1:2] == [version]
