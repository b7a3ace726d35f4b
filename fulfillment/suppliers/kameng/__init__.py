"""Another installation of this platform, over its supply API."""
