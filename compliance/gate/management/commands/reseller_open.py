"""`manage.py reseller_open SLUG --name NAME --host HOST …`: open a shop; it sells the whole catalogue at once."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from compliance.gate.exceptions import ContentBlocked
from compliance.gate.selectors import case_words
from compliance.gate.shops import shop_open
from compliance.tenures import shop_plan_grant
from resellers.management.asking import new_password
from resellers.plans.models import Plan
from resellers.services import ShopInvalid, staff_set


def _plan(code: str) -> Plan:
    found = Plan.objects.filter(code=code).first()
    if found is None:
        known = ", ".join(Plan.objects.values_list("code", flat=True))
        raise CommandError(f"there is no plan {code!r}; there are: {known or 'none'}")
    return found


class Command(BaseCommand):
    """Doorway to `shop_open`: what the shop is called passes the gate."""

    help = "Opens a shop with a schema of its own, from the SQL template."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Hosts are complete names without port."""
        parser.add_argument("slug", help="lower-case letters and digits; the schema is called shop_SLUG")
        parser.add_argument("--name", required=True)
        parser.add_argument("--host", action="append", required=True, help="may be given several times")
        parser.add_argument("--color", default="#0B62D6", help="brand colour as #RRGGBB")
        parser.add_argument(
            "--plan", help="code of a plan whose first year it gets for nothing; without, it has no end"
        )
        parser.add_argument("--owner", help="user name for /manage/; the password is asked for")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say where the shop answers, and how long it took."""
        # Asked first: a shop that is open without its owner could not be opened again with one.
        password = new_password(options["owner"]) if options["owner"] else ""
        plan = _plan(options["plan"]) if options["plan"] else None
        begun = time.monotonic()
        try:
            with transaction.atomic():
                opened = shop_open(
                    slug=options["slug"],
                    name=options["name"],
                    host_names=options["host"],
                    brand_color=options["color"],
                )
                if plan is not None:
                    shop_plan_grant(shop_id=opened.shop.pk, plan=plan, key=f"granted:{opened.shop.pk}", actor="system")
        except (ShopInvalid, ContentBlocked) as invalid:
            raise CommandError(f"{options['slug']} at {', '.join(options['host'])}: {invalid}") from invalid
        except ValidationError as invalid:
            wrong = [f"{field}: {' '.join(texts)}" for field, texts in invalid.message_dict.items()]
            raise CommandError("; ".join(wrong)) from invalid
        shop = opened.shop
        if opened.gated is not None and opened.gated.case is not None:
            self.stderr.write(" ".join(case_words(opened.gated.case)))
        if password:
            staff_set(schema_name=shop.schema_name, username=options["owner"], password=password)
        took = time.monotonic() - begun
        self.stdout.write(f"{shop.schema_name} is open at {', '.join(options['host'])} ({took:.2f} s)")
