"""Takes the place of wandb in a process whose ``PYTHONPATH`` begins with this folder."""

import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from tracker import Tracker

sys.modules[__name__] = Tracker(file=Path(os.environ["TRACKER_FILE"]))  # type: ignore[assignment]
