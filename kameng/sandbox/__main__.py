"""`python -m kameng.sandbox [--port 8900] [--folder var/sandbox]`."""

import sys

from kameng.sandbox.main import main

if __name__ == "__main__":
    sys.exit(main())
