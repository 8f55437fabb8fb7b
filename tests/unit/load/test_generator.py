"""Generator process: what it reads of itself."""

import subprocess
import sys
from pathlib import Path

# In a process of its own, since importing locust patches the whole process.
WAITED = """
import sys
from pathlib import Path
from twinbench.load import generator
for path in sys.argv[1:]:
    generator.SCHEDSTAT = Path(path)
    print(generator._waited_s())
"""


def test_time_without_a_core_is_read_or_zero(tmp_path: Path) -> None:
    texts = {"whole": "1 5000000000 3", "short": "1", "strange": "a b"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    paths = [tmp_path / name for name in (*texts, "missing")]
    output = subprocess.check_output([sys.executable, "-c", WAITED, *paths], text=True)
    assert output.split() == ["5.0", "0.0", "0.0", "0.0"]
