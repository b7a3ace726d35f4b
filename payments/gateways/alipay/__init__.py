"""Alipay open platform: QR, phone page and desktop page payments over gateway.do, signed with RSA2."""
