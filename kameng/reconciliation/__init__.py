"""Our books held against those of gateways and suppliers: bills, what does not agree, and who looks after it."""
