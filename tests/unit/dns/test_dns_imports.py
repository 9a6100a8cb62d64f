"""What the node process must not load."""

import subprocess
import sys

UNUSED = "httpcore httpcore2 httpx httpx2 aioquic h2 yaml"


def test_nothing_that_asks_over_https_and_no_yaml_is_imported_for_a_node():
    program = (
        "import sys; import mamekube.cluster.node_process; "
        f"print([name for name in '{UNUSED}'.split() if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
