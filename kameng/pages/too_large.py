"""A form that carries more than anybody types: a page that says what to do instead, on every host."""

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views import defaults

from catalog.listings.views import page
from kameng.core.raw import drained
from kameng.manage.site import shop_site
from kameng.operations.errors import told

STATUS = 413
#: Bytes that are read and thrown away, so that a browser sees the answer: all that the web server before us lets by.
MOST_DRAINED = 64_000_000


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What was too large was not read, so nothing was done; every other bad request is told of as Django does."""
    if not isinstance(exception, RequestDataTooBig):
        return defaults.bad_request(request, exception)
    drained(request, limit=MOST_DRAINED)
    title = _("内容太多，没有提交")
    text = _("一次最多填写 %(limit)s KB 文字，什么都没有改。请分几次填；成批的卡密请存成文件再上传。")
    said = text % {"limit": settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1024}
    if getattr(request, "urlconf", None) == settings.PUBLIC_SCHEMA_URLCONF:
        return told(request, STATUS, title, said)
    if request.path.startswith("/manage/") and shop_site.has_permission(request):
        context = {"title": title, "text": said, "again_url": request.path}
        return shop_site.render(request, "staff/refused.html", context, status=STATUS)
    return page(request, "shop/too_large.html", status=STATUS)
