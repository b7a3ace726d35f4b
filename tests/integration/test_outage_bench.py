"""`manage.py bench outage`, small: the same code as the large runs, judged by the same goals.

One of the five ways to die, and a fault that lasts a third of the usual time; the rest is in `test_supplier_outage.py`.
"""

import json
import os
import subprocess
import sys

import pytest

from kameng.embedded import environment, paths

pytestmark = pytest.mark.integration

ORDERS, SHOPS, SECONDS = 50, 4, 300
NOT_FOR_IT = {
    "DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "KAMENG_TEST", "SANDBOX_URL", *environment.SECRETS,
}  # fmt: skip
_SMALL = """
import sys
from bench import main, outage
outage.WAYS = {way: outage.WAYS[way] for way in ("connection refused",)}
outage.FAULT_SECONDS = 15.0
sys.exit(main.main(sys.argv[1:]))
"""


def test_an_outage_is_a_non_event() -> None:
    env = {name: value for name, value in os.environ.items() if name not in NOT_FOR_IT}
    done = subprocess.run(
        [sys.executable, "-c", _SMALL, "outage", f"--orders={ORDERS}", f"--shops={SHOPS}", "--json"],
        cwd=paths.ROOT, env=env, capture_output=True, text=True, check=False, timeout=SECONDS,
    )  # fmt: skip
    assert done.stdout, done.stderr[-3000:]
    told = json.loads(done.stdout)
    sys.stdout.write(f"{told['verdict']}\n{json.dumps(told['workloads'][0]['tables'], indent=1)}\n")
    assert not told["workloads"][0]["broken"], told["verdict"]
    assert done.returncode == 0, told["verdict"]
    (rows,) = (table["rows"] for table in told["workloads"][0]["tables"])
    assert [(row["orders"], row["delivered"] + row["refunded"]) for row in rows] == [(ORDERS, ORDERS)]
