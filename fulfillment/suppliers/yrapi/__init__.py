"""Phone credit from an installation of the yrapi family (大猿人)."""
