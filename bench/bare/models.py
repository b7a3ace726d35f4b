"""The least that an order, its money and its code need."""

from django.db import models
from django.db.models import Q


class Order(models.Model):
    """What somebody wants."""

    objects: "models.Manager[Order]" = models.Manager()

    number = models.CharField(max_length=16, unique=True)
    sku = models.CharField(max_length=40)
    contact = models.CharField(max_length=120)
    total = models.DecimalField(max_digits=12, decimal_places=2)
    status = models.CharField(max_length=16, default="pending")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.number


class Product(models.Model):
    """What is on sale."""

    objects: "models.Manager[Product]" = models.Manager()

    sku = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=60)
    price = models.DecimalField(max_digits=12, decimal_places=2)

    def __str__(self) -> str:
        return self.name


class Code(models.Model):
    """What is delivered."""

    objects: "models.Manager[Code]" = models.Manager()

    sku = models.CharField(max_length=40)
    text = models.CharField(max_length=60)
    order = models.ForeignKey(Order, models.PROTECT, null=True, related_name="codes")

    class Meta:
        indexes = [models.Index(fields=["sku", "id"], condition=Q(order=None), name="bare_code_free")]

    def __str__(self) -> str:
        return f"#{self.pk}"
