"""A sandbox in a process of its own on free ports, and a shop that keeps every notice it is sent."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class RunningSandbox:
    """The process, where it listens, and what a merchant was given."""

    folder: Path
    process: subprocess.Popen[bytes]
    url: str
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30, trust_env=False))

    def merchant(self, gateway: str) -> dict[str, Any]:
        return json.loads((self.folder / "gateways" / f"{gateway}.json").read_text())

    def supplier(self, code: str) -> dict[str, Any]:
        return json.loads((self.folder / "suppliers" / f"{code}.json").read_text())

    def steer(self, path: str, **body: Any) -> dict[str, Any]:
        reply = self.client.post(f"{self.url}/_control/{path}", json=body)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def read(self, path: str) -> Any:
        reply = self.client.get(f"{self.url}/_control/{path}")
        assert reply.status_code == 200, reply.text
        return reply.json()

    def book(self, kind: str, code: str) -> list[dict[str, Any]]:
        return self.read(f"{kind}/{code}/book")


@dataclass
class Notice:
    path: str
    headers: dict[str, str]
    body: bytes
    at: float


class Shop:
    """Receives notices; `answers` are given one after the other, the last one for ever."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.answers: list[tuple[int, bytes]] = [(200, b"success")]
        shop = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = dict(self.headers.items())
                shop.notices.append(Notice(self.path, headers, body, time.monotonic()))
                status, answer = shop.answers.pop(0) if len(shop.answers) > 1 else shop.answers[0]
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def wait_for(self, count: int, *, limit: float = 5) -> list[Notice]:
        until(lambda: len(self.notices) >= count, limit=limit)
        return self.notices


def until(condition: Callable[[], Any], *, limit: float = 5) -> Any:
    """Ask again until the answer is true; fail after `limit` seconds."""
    end = time.monotonic() + limit
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
    return found


def start_sandbox(folder: Path, *arguments: str) -> RunningSandbox:
    """Start on free ports and wait until it says where it is."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kameng.sandbox", "--port", "0", "--folder", str(folder), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
    )
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    assert "http://" in line, line
    return RunningSandbox(folder, process, line.strip()[line.index("http://") :].rstrip("/"))


def stop_sandbox(running: RunningSandbox) -> None:
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(timeout=10) == 0
