"""How a worker starts: nothing writes to the environment of a process in which others may be reading it."""

import os
import subprocess
import sys

_WORKER = """
import os, sys, threading
from celery import signals
from kameng.celery import app
from kameng.outbox.poller import Poller

written, begun = [], []
sys.addaudithook(lambda event, args: written.append(args) if begun and event in ("os.putenv", "os.unsetenv") else None)
Poller.start = lambda self: begun.append("poller")
Poller.stop = lambda self: None
app.conf.broker_url = "memory://"

@signals.worker_ready.connect
def tell(**_):
    print(begun, written, file=sys.__stdout__, flush=True)
    os._exit(0)

app.worker_main(["worker", "--pool=threads", "--without-gossip", "--without-mingle", "--without-heartbeat"])
"""


def test_the_poller_starts_when_the_last_word_is_in_the_environment() -> None:
    told = subprocess.run(
        [sys.executable, "-c", _WORKER], env=dict(os.environ), capture_output=True, text=True, timeout=60, check=False
    )
    assert told.stdout.splitlines()[-1:] == ["['poller'] []"], told.stdout + told.stderr
