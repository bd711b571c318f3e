"""The environment for programs whose lines are not counted.

Coverage prints lines of its own where a process forks, has no folder for its data, or runs nothing of ours.
"""

import os

UNMEASURED = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE_"))}
