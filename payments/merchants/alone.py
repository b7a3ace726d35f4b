"""Which shops only their owners collect for: written on the shop, for stages that know of no merchant account."""

from django.utils import timezone

from kameng.core import sql

_ALONE = 0x616C6F6E

#: Of each gateway the account that `accounts_for_shop` chooses; a shop without any collects through nobody.
_REFRESH = """
UPDATE public.resellers_reseller AS shop SET collects_alone = found.alone
  FROM (SELECT shop.id, coalesce(bool_and(chosen.owner_collects), false) AS alone
          FROM public.resellers_reseller AS shop
          LEFT JOIN LATERAL (
               SELECT DISTINCT ON (account.gateway) account.owner_collects
                 FROM public.merchants_gatewayaccount AS account
                WHERE account.is_active AND account.schema_name IN ('', shop.schema_name)
                  AND (account.counts_from IS NULL OR account.counts_from <= %s)
                ORDER BY account.gateway, account.schema_name <> '' DESC,
                         CASE WHEN account.schema_name = '' THEN account.position ELSE -account.position END,
                         CASE WHEN account.schema_name = '' THEN account.id ELSE -account.id END) AS chosen ON true
         GROUP BY shop.id) AS found
 WHERE found.id = shop.id AND shop.collects_alone <> found.alone
"""


def alone_lock() -> None:
    """Whoever changes another account waits until this transaction ends, and then sees this one's."""
    sql.rows_anywhere("SELECT pg_advisory_xact_lock(%s)", [_ALONE])


def alone_refresh() -> int:
    """Say anew of every shop whether only its owner collects, in the transaction that changed an account; of how many
    that is another answer."""
    alone_lock()
    return sql.execute_anywhere(_REFRESH, [timezone.now()])
