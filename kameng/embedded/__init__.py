"""PostgreSQL, Valkey and the processes of the demo, on a machine where none of them is installed.

`bootstrap`, `console`, `paths` and `environment` use the standard library alone: they run before there is a `.venv`.
"""
