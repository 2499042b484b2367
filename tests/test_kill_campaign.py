"""A short campaign of kills: nothing lost, doubled or left over. The long one is benchmarks/kill_campaign.py."""

import os
import re
import sys

import pytest

from tests import ROOT
from tests.forks import run

ACTIVITIES = (
    *("choosing", "choosing by two", "training", "scoring", "copying", "copying within", "moving"),
    *("moving between disks", "linking", "stars", "updating"),
)
TOGETHER = ACTIVITIES[:2], ACTIVITIES[2:3], ACTIVITIES[3:7], ACTIVITIES[7:]


@pytest.mark.script
@pytest.mark.skipif(not hasattr(os, "fork"), reason="its processes are forked")
@pytest.mark.parametrize("activities", TOGETHER, ids=", ".join)
def test_a_kill_of_each_activity_loses_doubles_and_leaves_over_nothing(activities):
    command = [sys.executable, "benchmarks/kill_campaign.py", f"--only={','.join(activities)}"]
    command += [f"--kills={len(activities)}"]
    result = run(command, cwd=ROOT)
    lines = {name: re.search(rf"^{name} +(\d+) +\d+ +(\d+ +\d+ +\d+)$", result.stdout, re.M) for name in activities}
    assert all(lines.values()), result.stdout + result.stderr
    assert result.returncode == 0, result.stdout + result.stderr
    assert {name: (int(line[1]) >= 1, line[2].split()) for name, line in lines.items()} == {
        name: (True, ["0", "0", "0"]) for name in activities
    }
