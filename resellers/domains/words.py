"""What is told about hosts, in the reader's language."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from resellers.domains.models import OwnDomain, Problem
from resellers.domains.names import Fault

State = OwnDomain.State

_REFUSALS: Mapping[Fault, Promise] = {
    Fault.NOT_A_HOST: gettext_lazy("这不是一个域名。只填域名，像 shop.example.com，不带端口、路径和星号"),
    Fault.ADDRESS: gettext_lazy("这是 IP 地址，要填域名"),
    Fault.SINGLE: gettext_lazy("域名至少有两段，像 shop.example.com"),
    Fault.TOO_LONG: gettext_lazy("域名太长了：每一段最多 63 个字符，整个最多 245 个"),
    Fault.RESERVED: gettext_lazy("这个后缀是保留的，公网上谁也不能用"),
    Fault.REGISTRY: gettext_lazy("这是公共后缀，不是谁自己的域名"),
    Fault.MIXED: gettext_lazy("域名里混用了几种文字，容易被用来冒充别人，不能用"),
    Fault.CONFUSABLE: gettext_lazy("域名里的字看起来像英文字母，容易被用来冒充别人，不能用"),
    Fault.PLATFORM: gettext_lazy("这是平台自己的域名，不能绑到店铺"),
    Fault.LOOKS_LIKE_PLATFORM: gettext_lazy("这个域名看起来像平台自己的，容易让买家认错，不能用"),
}
_ADVICE: Mapping[str, Promise] = {
    Problem.NO_RECORD: gettext_lazy("到域名服务商那里加上下面的 TXT 记录。刚加的要等几分钟才查得到。"),
    Problem.OTHER_VALUE: gettext_lazy("名称对了，值要和下面的一模一样。旧的那条可以留着，再加一条也行。"),
    Problem.NOT_POINTING: gettext_lazy(
        "把域名用 CNAME 指向下面的名称，或用 A 记录指向下面的地址；别的 A、AAAA 记录要删掉。"
    ),
    Problem.TAKEN: gettext_lazy("域名是你的话，请对方把他的 TXT 记录删掉；我们正在重新核对对方的记录。"),
    Problem.TIMEOUT: gettext_lazy("不知道记录对不对，已经绑定的照常使用。我们过一会儿再查。"),
    Problem.SERVER_FAILURE: gettext_lazy("不知道记录对不对，已经绑定的照常使用。我们过一会儿再查。"),
}
#: What is shown where there is no problem.
_MEANINGS: Mapping[str, Promise] = {
    State.WAITING: gettext_lazy("加好下面两条记录，再点检查。"),
    State.VERIFIED: gettext_lazy("域名是你的，正在接通。"),
    State.CERTIFICATE: gettext_lazy("正在签发 HTTPS 证书，一般几分钟。"),
    State.LIVE: gettext_lazy("买家可以打开了。两条记录都别删：我们每天检查，查不到就会解绑。"),
}
TONES: Mapping[str, str] = {
    State.WAITING: "neutral", State.WRONG: "bad", State.VERIFIED: "info", State.CERTIFICATE: "info",
    State.LIVE: "ok", State.LOST: "bad",
}  # fmt: skip


def refusal_words(fault: Fault) -> str:
    """Why a name cannot be had."""
    return str(_REFUSALS[fault])


def domain_words(own: OwnDomain) -> tuple[str, str]:
    """How a host stands, as a sentence, and what to do about it."""
    if not own.problem:
        return "", str(_MEANINGS.get(own.state, ""))
    said = str(Problem(own.problem).label)
    if own.seen:
        said = _("%(said)s：查到的是 %(seen)s") % {"said": said, "seen": own.seen}
    return said, str(_ADVICE[own.problem])
