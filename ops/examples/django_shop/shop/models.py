"""What somebody has ordered."""

from django.db import models


class Order(models.Model):
    """Paid by whoever has this address."""

    email = models.EmailField()
    total = models.DecimalField(max_digits=10, decimal_places=2)
