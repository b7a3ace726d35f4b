#!/usr/bin/env python3
"""The one door: `python3 manage.py up`, `test`, `lint` and Django's commands. Sets up its own `.venv` first."""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 -- an old Python gets this far
    sys.exit("Kameng needs Python 3.11 or newer; this is %d.%d" % sys.version_info[:2])  # noqa: UP031

from kameng.embedded import bootstrap
from kameng.embedded.console import Refused


def main(arguments: list[str]) -> int:
    """Run one command in the project's own environment; what stops it is said in one line."""
    command = arguments[0] if arguments else "help"
    try:
        bootstrap.ensure(command)
        if command == "up":
            from kameng.embedded.up import main as up

            return up(arguments[1:])
        if command == "test":
            from kameng.embedded.testing import main as test

            return test(arguments[1:])
        if command == "bench":
            from bench.main import main as bench

            return bench(arguments[1:])

        if command == "shop_template":
            # Nothing can be running yet: a template that is behind its migrations keeps `up` from opening shops.
            from kameng.embedded.testing import own_servers

            with own_servers():
                return run(arguments)
        return run(arguments)
    except Refused as refused:
        sys.stderr.write(f"manage.py {command}: {refused}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def run(arguments: list[str]) -> int:
    """One of Django's commands, over the servers that the environment or a running `up` names."""
    from kameng.embedded import environment

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kameng.settings.base")
    if arguments and arguments[0] in environment.OFFLINE_COMMANDS:
        os.environ.setdefault("KAMENG_OFFLINE", "1")
    try:
        environment.load(os.environ)
    except environment.NothingRunning:
        if not arguments or arguments[0] not in environment.OPTIONAL_COMMANDS:
            raise
        os.environ["KAMENG_OFFLINE"] = "1"
        environment.load(os.environ)
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", *arguments])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
