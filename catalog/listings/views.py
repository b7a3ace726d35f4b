"""Pages that anybody may see and that are the same for everybody: home, shelves, search, a product, help and rules."""

from typing import Any

from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from catalog.ages import Age
from catalog.listings.faces import (
    CODE,
    PHONE,
    Answers,
    categories_of,
    category_face,
    facts_of,
    field_faces,
    product_face,
    product_faces,
    variant_face,
)
from catalog.listings.pages_kept import kept
from catalog.listings.shelf import Shelf, ShelfProduct, shelf
from catalog.phone_numbers import origin_of

POPULAR = 12
PER_PAGE = 24
ON_A_SHELF = 6
QUICK_CARRIERS = 4
LEGAL = {
    "refunds": gettext_lazy("退款规则"),
    "minors": gettext_lazy("未成年人保护"),
    "privacy": gettext_lazy("隐私政策"),
    "terms": gettext_lazy("服务条款"),
}


def page(
    request: HttpRequest, template: str, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """A page of the shop with its navigation."""
    on_sale = shelf(request.shop)  # type: ignore[attr-defined]
    return render(request, template, {"nav_categories": categories_of(on_sale), **(context or {})}, status=status)


@require_safe
@kept
def home(request: HttpRequest) -> HttpResponse:
    """What there is to top up."""
    on_sale = shelf(request.shop)  # type: ignore[attr-defined]
    return page(
        request,
        "shop/home.html",
        {
            "categories": categories_of(on_sale),
            "popular": product_faces(on_sale, list(on_sale.products[:POPULAR])),
            "featured": product_faces(on_sale, list(on_sale.featured[:POPULAR])),
            "quick_topup": _quick_topup(on_sale),
        },
    )


def _quick_topup(on_sale: Shelf) -> list[dict[str, Any]]:
    """One per carrier: a number says too little about its carrier to choose for the shopper."""
    carriers = [found for found in on_sale.products if found.kind == PHONE and found.is_available]
    return [
        {"url": f"/p/{face.slug}/", "name": face.name, "icon": face.icon, "from_price": face.from_price}
        for face in product_faces(on_sale, carriers[:QUICK_CARRIERS])
    ]


@require_safe
@kept
def categories(request: HttpRequest) -> HttpResponse:
    """All shelves with the first things on each."""
    on_sale = shelf(request.shop)  # type: ignore[attr-defined]
    faces = [
        category_face(category, tuple(product_faces(on_sale, on_sale.in_category(category.slug)[:ON_A_SHELF])))
        for category in on_sale.categories
    ]
    return page(request, "shop/categories.html", {"categories": faces})


@require_safe
@kept
def category(request: HttpRequest, slug: str) -> HttpResponse:
    """One shelf, by popularity or by price."""
    on_sale = shelf(request.shop)  # type: ignore[attr-defined]
    found = next((known for known in on_sale.categories if known.slug == slug), None)
    if found is None:
        raise Http404
    products = on_sale.in_category(slug)
    sort = request.GET.get("sort", "")
    if sort == "price":
        products.sort(key=lambda product: product.from_price)
    shown = Paginator(product_faces(on_sale, products), PER_PAGE).get_page(request.GET.get("page"))
    return page(
        request,
        "shop/category.html",
        {"category": category_face(found), "categories": categories_of(on_sale), "sort": sort, "page": shown},
    )


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Products by name, alias or pinyin."""
    on_sale = shelf(request.shop)  # type: ignore[attr-defined]
    query = request.GET.get("q", "").strip()[:60]
    found = on_sale.find(query) if query else []
    popular = [] if found else product_faces(on_sale, list(on_sale.products[:ON_A_SHELF]))
    return page(
        request,
        "shop/search.html",
        {"query": query, "products": product_faces(on_sale, found[:PER_PAGE]), "popular": popular},
    )


@require_safe
@kept
def product(request: HttpRequest, slug: str) -> HttpResponse:
    """A product and its form; `sku` and `phone` in the address choose and fill in."""
    on_sale = shelf(request.shop)  # type: ignore[attr-defined]
    found = on_sale.by_slug.get(slug)
    if found is None and slug in on_sale.resting:
        return page(request, "shop/resting.html", status=404)
    if found is None:
        raise Http404
    phone = request.GET.get("phone", "")[:20]
    answers = Answers(sku=request.GET.get("sku", "")[:40], account={"phone": phone} if phone else {})
    return product_page(request, found, answers)


def product_page(
    request: HttpRequest, found: ShelfProduct, answers: Answers, *, status: int = 200, messages: tuple[str, ...] = ()
) -> HttpResponse:
    """The product's page with a form as it was filled in; `messages` are errors that belong to no field."""
    on_sale = shelf(request.shop)  # type: ignore[attr-defined]
    variants = [variant_face(variant) for variant in found.variants]
    available = [variant for variant in variants if variant.available]
    selected = next((variant for variant in available if variant.sku == answers.sku), None)
    selected = selected or next((variant for variant in available if variant.note), None)
    selected = selected or (available or variants)[0]
    account_fields = field_faces(found, answers)
    category_of = next(known for known in on_sale.categories if known.slug == found.category)
    return page(
        request,
        "shop/product.html",
        {
            "product": product_face(found, category_face(category_of)),
            "facts": facts_of(found),
            "account_fields": account_fields,
            "variants": variants,
            "selected": selected,
            "quantity": _quantity(found, answers, selected.max_quantity),
            "contact": {
                "value": answers.contact,
                "error": answers.errors.get("contact", ""),
                "optional": any(asked.name == "phone" for asked in account_fields),
            },
            "age": _age(answers) if found.limits_minors else None,
            "errors": _error_list(answers, messages),
            "page_path": f"/p/{found.slug}/",
        },
        status=status,
    )


@require_safe
def number_origin(request: HttpRequest, prefix: str) -> JsonResponse:
    """Whose numbers with these seven digits were, in both languages: nobody sends a whole number to learn that.

    It is the same for everybody and hardly ever changes.
    """
    origin = origin_of(prefix)
    response = JsonResponse(
        {
            "carrier": origin.carrier,
            "province": origin.province,
            "text": origin.text(english=False),
            "text_en": origin.text(english=True),
        },
        json_dumps_params={"ensure_ascii": False},
    )
    response["Cache-Control"] = "public, max-age=86400"
    return response


def _quantity(found: ShelfProduct, answers: Answers, limit: int) -> dict[str, Any] | None:
    if found.kind != CODE:
        return None
    return {"value": answers.quantity, "max": limit, "error": answers.errors.get("quantity", "")}


def _age(answers: Answers) -> dict[str, Any]:
    """The question how old the shopper is. An adult need not touch it; nothing is remembered but on the order."""
    said = answers.age if answers.age in Age.values else Age.ADULT
    return {
        "choices": [{"value": value, "label": label, "chosen": value == said} for value, label in Age.choices],
        "error": answers.errors.get("age", ""),
        "is_open": said != Age.ADULT or "age" in answers.errors,
    }


def _error_list(answers: Answers, messages: tuple[str, ...]) -> list[dict[str, str]]:
    plain = {"sku", "quantity", "contact", "age"}
    listed = [
        {"field": name if name in plain else f"account_{name}", "message": text}
        for name, text in answers.errors.items()
    ]
    return [*listed, *({"field": "", "message": text} for text in messages)]


@require_safe
@kept
def help_page(request: HttpRequest) -> HttpResponse:
    """Answers, and how to reach a person."""
    return page(request, "shop/help.html")


@require_safe
@kept
def legal(request: HttpRequest, doc: str) -> HttpResponse:
    """Refund rules, minors, privacy, terms."""
    if doc not in LEGAL:
        raise Http404
    caps = [{"age": Age(age).label, "once": once, "month": month} for age, (once, month) in settings.MINOR_CAPS.items()]
    context = {
        "doc": doc,
        "doc_title": LEGAL[doc],
        "minor_caps": caps,
        "paid_days": settings.RETENTION_ORDER_DAYS,
        "unpaid_days": settings.RETENTION_UNPAID_DAYS,
    }
    return page(request, "shop/legal.html", context)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """A page that is not there, with a way on; plain where there is no shop."""
    if getattr(request, "shop", None) is None or getattr(request, "urlconf", None):
        return HttpResponse(_("页面不在了") + "\n", status=404, content_type="text/plain; charset=utf-8")
    return page(request, "404.html", status=404)
