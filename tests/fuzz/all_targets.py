"""All fuzz targets by name."""

from __future__ import annotations

import fuzz_labels
import fuzz_models
import fuzz_others
import fuzz_servers
from fuzzing import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (*fuzz_models.TARGETS, *fuzz_labels.TARGETS, *fuzz_others.TARGETS, *fuzz_servers.TARGETS)
}
