"""`manage.py gateway_account CODE --gateway G [--shop SLUG [--owner-collects]] --config FILE`.

Create or update a merchant account.
"""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from payments.gateways.base import GatewayMisconfigured
from payments.gateways.registry import GATEWAYS
from payments.merchants.services import gateway_account_save
from resellers.models import Reseller


class Command(BaseCommand):
    """Doorway to `gateway_account_save`."""

    help = "Creates or updates a merchant account from a JSON file; its keys are checked, sealed and not shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The file `-` is standard input, so that keys need not lie on a disk."""
        parser.add_argument("code", help="the account's name in webhook addresses: /webhooks/payments/CODE/")
        parser.add_argument("--gateway", required=True, choices=sorted(GATEWAYS))
        parser.add_argument("--shop", default="", help="slug of the only shop that collects through it (default: all)")
        parser.add_argument(
            "--owner-collects",
            action="store_true",
            default=None,
            help="the account is the shop owner's own, and so is what is paid there; supply comes from the deposit",
        )
        parser.add_argument("--name", default="", help="what operators read")
        parser.add_argument("--config", required=True, type=Path, help="JSON file with the keys of the account")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what was saved, without any key."""
        schema_name = ""
        if options["shop"]:
            shop = Reseller.objects.filter(slug=options["shop"]).first()
            if shop is None:
                raise CommandError(f"there is no shop {options['shop']!r}")
            schema_name = shop.schema_name
        try:
            path: Path = options["config"]
            config = json.loads(sys.stdin.read() if path == Path("-") else path.read_text())
        except (OSError, ValueError) as error:
            raise CommandError(f"{options['config']}: {error}") from error
        if not isinstance(config, dict):
            raise CommandError(f"{options['config']} must hold a JSON object")
        try:
            account = gateway_account_save(
                code=options["code"],
                gateway=options["gateway"],
                config=config,
                name=options["name"],
                schema_name=schema_name,
                owner_collects=options["owner_collects"],
            )
        except GatewayMisconfigured as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        self.stdout.write(f"{account.code}: {account.gateway}, {options['shop'] or 'all shops'}, {account.name}")
