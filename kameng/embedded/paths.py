"""Where things are: the checkout, and `var/` for everything that is made while running."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def var() -> Path:
    """The folder for data, logs and run files: `KAMENG_VAR`, or `var/` in the checkout."""
    return Path(os.environ.get("KAMENG_VAR") or ROOT / "var").absolute()


def write_private(path: Path, text: str) -> None:
    """Replace `path` in one step with a file that only its owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
