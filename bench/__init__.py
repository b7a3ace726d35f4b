"""`manage.py bench`: how fast the product is, beside what the same machine can do at best in the same minute."""
