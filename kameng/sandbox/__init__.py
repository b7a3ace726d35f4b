"""The other side: payment gateways and suppliers that speak the real protocols, each with its own book.

Runs in its own process (`python -m kameng.sandbox`) and imports nothing of the shop, neither its adapters nor its core,
so that a mistake about a protocol is not made twice. What it speaks is read from the providers' public documentation,
named in each module. `docs/sandbox.md` lists the ports and the control endpoints.
"""
