"""Kill -9 at random moments of everything that writes: what was lost, doubled and left over?

    python benchmarks/kill_campaign.py [--kills 1000] [--only choosing,moving] [--seed 0] [--workers 2]

The scripts run on tiny images with a toy for the image model, each time in a process of its own (see `killing`), and
are killed at a random moment; then the folder is looked at. After one to four kills the same command runs to its end,
and everything must be as if nobody had killed anything.

- acknowledged: what was said to be done, or seen to be, before a kill. choosing: answers, undos and exclusions that
  were answered with 200; training: finished trials; else: files in their final state.
- lost: of those, what is not so at the end; and any file of the person's that is gone at any moment.
- doubled: what is there twice: images, choices, trials. left over: half files, locks, plans, at the end.

Wanted: all 0, 1,000 kills in 15 minutes on two cores. Exit code 1 where anything is not 0.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from benchmarks import killed_choosing, killed_scoring, killed_training
from benchmarks.killing import COUNTS, Findings, end_all, use_toys

ACTIVITIES = {**killed_choosing.ACTIVITIES, **killed_training.ACTIVITIES, **killed_scoring.ACTIVITIES}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000, help="of all activities together")
    parser.add_argument("--only", default=",".join(ACTIVITIES), help=f"of {', '.join(ACTIVITIES)}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="processes that kill side by side")
    arguments = parser.parse_args()
    names = [name.strip() for name in arguments.only.split(",")]
    if unknown := [name for name in names if name not in ACTIVITIES]:
        parser.error(f"--only={unknown[0]}: there is no such activity; there are {', '.join(ACTIVITIES)}")
    start = time.monotonic()
    shares = {name: len(range(place, arguments.kills, len(names))) for place, name in enumerate(names)}
    with tempfile.TemporaryDirectory() as folder:
        use_toys()
        try:
            for name in names:
                ACTIVITIES[name].prepare(Path(folder) / name.replace(" ", "_"))
        finally:
            end_all()
        found = side_by_side(arguments.workers, shares, Path(folder), arguments.seed)
    report(found, time.monotonic() - start)
    sys.exit(any(findings.counts[count] for findings in found.values() for count in COUNTS[2:]))


def side_by_side(workers: int, shares: dict[str, int], folder: Path, seed: int) -> dict[str, Findings]:
    """What each activity's kills found; shares: how many of each. Every worker has its share of each activity."""
    pids = []
    for worker in range(workers):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                part = {name: len(range(worker, kills, workers)) for name, kills in shares.items()}
                found = {name: work(name, kills, folder, [seed, worker]) for name, kills in part.items()}
                text = json.dumps({name: [one.counts, one.notes] for name, one in found.items()})
                (folder / f"found_{worker}.json").write_text(text)
                code = 0
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                end_all()
                os._exit(code)
        pids.append(pid)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    if any(codes):
        sys.exit("a worker did not come to its end")
    return {name: sum_up(name, workers, folder) for name in shares}


def work(name: str, kills: int, folder: Path, seed: list[int]) -> Findings:
    """Cases of one activity, each with a few kills, until there were enough."""
    findings = Findings()
    rng = np.random.default_rng([*seed, sum(name.encode())])
    activity, place = ACTIVITIES[name], folder / name.replace(" ", "_")
    case, start = 0, time.monotonic()
    while findings.counts["kills"] < kills:
        noted = len(findings.notes)
        most = min(int(rng.integers(1, 5)), kills - findings.counts["kills"])
        activity.case(place, place / f"case_{seed[1]}", most, rng, findings)
        findings.notes[noted:] = [f"worker {seed[1]}, case {case}: {note}" for note in findings.notes[noted:]]
        case += 1
    seconds = time.monotonic() - start
    print(f"worker {seed[1]}: {findings.counts['kills']} of {name} in {seconds:.0f} s", file=sys.stderr, flush=True)
    return findings


def sum_up(name: str, workers: int, folder: Path) -> Findings:
    """What all workers found of one activity."""
    whole = Findings()
    for worker in range(workers):
        counts, notes = json.loads((folder / f"found_{worker}.json").read_text())[name]
        whole.counts.update(counts)
        whole.notes += notes
    return whole


def report(found: dict[str, Findings], seconds: float) -> None:
    """A line for each activity, and what is behind numbers that should be 0."""
    print(f"{'':<22}" + "".join(f"{count:>14}" for count in COUNTS))
    for name, findings in found.items():
        print(f"{name:<22}" + "".join(f"{findings.counts[count]:>14}" for count in COUNTS))
    kills = sum(findings.counts["kills"] for findings in found.values())
    print(f"{kills} kills in {seconds:.0f} s")
    for name, findings in found.items():
        for note in findings.notes[:10]:
            print(f"{name}: {note}")


if __name__ == "__main__":
    main()
