"""Kameng sells virtual goods on a house shop and on reseller sub-sites."""

from kameng.celery import app as celery_app

__all__ = ["celery_app"]
