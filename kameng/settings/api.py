"""How the JSON API answers, and how its document describes itself."""

from typing import Any

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "kameng.core.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "LIST_SERIALIZER_ERRORS_AS_DICT": True,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Kameng shop API",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api(/supply)?/v1",
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "orderToken": {
                "type": "apiKey",
                "in": "header",
                "name": "Authorization",
                "description": "`Order <token>`, with the token that placing the order returned.",
            },
            "clientSignature": {
                "type": "apiKey",
                "in": "header",
                "name": "Kameng-Signature",
                "description": "HMAC-SHA256 of the request, beside Kameng-Key, Kameng-Timestamp and Kameng-Nonce.",
            },
        }
    },
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "ProductKind": "catalog.models.Product.Kind",
        "OrderStatus": "orders.models.Order.Status",
        "LineStatus": "orders.models.OrderLine.Status",
        "PaymentStatus": "payments.models.Payment.Status",
        "RefundStatus": "kameng.api.REFUND_STATUSES",
    },
}
