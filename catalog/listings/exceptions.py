"""Why a shop's own prices and names do not change."""

from django.utils.translation import gettext_lazy as _

from kameng.core.problems import Problem


class ListingInvalid(Problem):
    """What the owner wants for a variant is not possible; `fields` say why."""

    code = "listing_invalid"
    message = _("这个面额没有保存")


class PriceRuleInvalid(Problem):
    """A markup out of bounds, or a second one for the same goods; `fields` say why."""

    code = "price_rule_invalid"
    message = _("这条定价规则没有保存")


class PricesMoved(Problem):
    """Something that a preview was built from has changed since: nothing was applied."""

    code = "prices_moved"
    status = 409
    message = _("预览之后价格又变了，什么都没有改。请看一眼新的预览，再确认。")
