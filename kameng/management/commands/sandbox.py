"""`manage.py sandbox`: the simulated gateways and suppliers, in a process without Django."""

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _


class Command(BaseCommand):
    help = _("启动支付网关与供应商沙箱（仅限本机）")
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=int(os.environ.get("SANDBOX_PORT") or 8900))
        parser.add_argument("--folder", default=str(settings.VAR_DIR / "sandbox"))
        parser.add_argument("--shop", default=f"http://localhost:{settings.PUBLIC_PORT}")

    def handle(self, *args: Any, **options: Any) -> None:
        arguments = [f"--{name}={options[name]}" for name in ("port", "folder", "shop")]
        os.chdir(settings.BASE_DIR)
        os.execv(sys.executable, [sys.executable, "-m", "kameng.sandbox", *arguments])
