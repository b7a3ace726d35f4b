"""Sentences that name something in order to say that it is not sold. Pure."""

import re

_CLAUSE = r"[^，。！？；：,!?;:\n]"
_NOT = r"(?:请勿|切勿|勿|不得|不要|不可|不能|禁止|严禁)"
#: Who forbids something, or says that it is not sold, in front of the term and in the same clause.
_FORBIDS = re.compile(
    rf"(?:(?:杜绝|抵制|打击|拒绝|远离|谨防|警惕|防范|举报|不支持|不提供|不出售|只售|不售|不卖|不收|不含|不涉及|严禁|禁止|"
    rf"{_NOT}(?:使用|用于|用作|购买|咨询|参与|传播|出售|上传|发布|从事|进行|将|把|利用|登录)){_CLAUSE}{{0,24}}|"
    rf"(?:不是|并非|绝非|均非|非|无|反|防)(?:任何|所谓的?|什么|{_CLAUSE}{{1,2}})?)$"
)
#: In a title there is less room for an honest sentence, and more reason for a false one.
_FORBIDS_SHORT = re.compile(r"(?:严禁|禁止|杜绝|抵制|不支持|不提供|不是|并非|绝非|非|反|防)(?:使用|任何)?$")
#: Behind the term.
_CONDEMNS = re.compile(
    rf"^{_CLAUSE}{{0,24}}(?:骗子|诈骗|骗局|等?违法|等?非法|犯罪|(?:导致|造成|被)|与本店无关|本店不负责|风险)"
)
#: Anywhere in the sentence; that is enough where the title reads lawful.
_WARNS = re.compile(
    r"严禁|禁止|谨防|警惕|骗子|诈骗|骗局|违法|犯罪|请勿|切勿|不得|拒绝|不支持|不提供|不出售|不负责|与本店无关|风险|警方|封号|举报|反诈|冻结"
)
_SENTENCE = re.compile(r"[。！？!?;；\n]")
_AROUND, _A_SENTENCE = 32, 200


def denied(text: str, start: int, end: int, *, in_title: bool, reads_lawful: bool) -> bool:
    """Whether what a text has from start to end is said not to be sold: 严禁外挂, 非共享号, 要求投注的都是骗子.

    A warning anywhere in the sentence is enough where the title of the listing reads lawful.
    """
    before, after = text[max(0, start - _AROUND) : start], text[end : end + _AROUND]
    if in_title:
        return bool(_FORBIDS_SHORT.search(before))
    if _FORBIDS.search(before) or _CONDEMNS.match(after):
        return True
    if not reads_lawful:
        return False
    before, after = text[max(0, start - _A_SENTENCE) : start], text[end : end + _A_SENTENCE]
    sentence = _SENTENCE.split(before)[-1] + " " + _SENTENCE.split(after)[0]
    return bool(_WARNS.search(sentence))
