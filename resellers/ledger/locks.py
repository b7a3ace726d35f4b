"""The lock under which an owner's money is taken."""

from resellers.models import Reseller


def shop_lock(shop_id: int) -> Reseller:
    """The shop's row, behind which everybody waits who takes from what is available, or from the deposit.

    The last lock of every flow. Raises `Reseller.DoesNotExist`.
    """
    found: Reseller = Reseller.objects.select_for_update().get(pk=shop_id)
    return found
