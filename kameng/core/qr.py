"""Codes to scan, black on white whatever the theme."""

import io

import segno


def qr_drawn(text: str, *, kind: str = "png", scale: int = 8, border: int = 2) -> bytes:
    """A code as a picture (`png`) or a drawing (`svg`); a module is `scale` pixels, the border so many modules."""
    drawn = io.BytesIO()
    segno.make(text, error="m", micro=False).save(drawn, kind=kind, scale=scale, border=border, light="#fff")
    return drawn.getvalue()
