"""WeChat Pay API v3: QR (native) and phone browser (H5) payments."""
