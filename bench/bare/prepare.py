"""Makes the bare project's tables and fills them: `python -m bench.bare.prepare`."""

import django
from django.core.management import call_command

from bench.bare import CODES


def main() -> None:
    """1,000 products and 20,000 codes of one of them."""
    django.setup()
    from bench.bare.models import Code, Product

    call_command("migrate", run_syncdb=True, verbosity=0)
    Product.objects.bulk_create(
        Product(sku=f"SKU-{place}", name=f"Product {place}", price="9.90") for place in range(1000)
    )
    Code.objects.bulk_create((Code(sku="SKU-1", text=f"CODE-{place:06d}") for place in range(CODES)), batch_size=2000)


if __name__ == "__main__":
    main()
