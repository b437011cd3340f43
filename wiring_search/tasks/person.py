"""Person: what a person does, from the positions of four tags worn at ankles, chest and belt,
reading by reading.

Kaluža et al., "An Agent-Based Approach to Care in Independent Living", 2010 (UCI, Localization Data
for Person Activity): `ConfLongDemo_JSI.txt`, five people (A … E), five recordings each. Eleven
activities are merged to seven as in the papers: lying, sitting, standing up, walking, falling, on
all fours, sitting on the ground. A reading is one tag (one-hot) and its x, y, z in metres.

Clean: people are kept apart: the last one tests, the one before validates, the others train.
Windows have 32 readings, stride 16; positions are z-scores by the training rows. Readings come at
irregular times: elapsed counts units of 100 ms, at least 0.01 (the millisecond of the time stamps)
where tags are read at once; a recording begins with 1. Paper (LTC, table 4): no times, no scaling;
the windows of all people dealt at random 75/10/15, each overlapping its neighbours by half. The
last recording is lost, as the published script only keeps one when the next begins.
"""

from pathlib import Path

import numpy as np

from wiring_search.tasks import trivial_rules
from wiring_search.tasks.files import ids, numbers, read_table
from wiring_search.tasks.options import TaskOptions, folder_of_files
from wiring_search.tasks.splits import Parts, Recording, Scale, dealt, runs, split, windows
from wiring_search.tasks.task import Task

_ADDRESS = "https://archive.ics.uci.edu/dataset/196/localization+data+for+person+activity"
_FILE = "ConfLongDemo_JSI.txt"
_COLUMNS = ["recording", "tag", "time", "date", "x", "y", "z", "activity"]
_TAGS = {"010-000-024-033": 0, "010-000-030-096": 1, "020-000-033-111": 2, "020-000-032-221": 3}
_ACTIVITIES = {
    "lying down": 0,
    "lying": 0,
    "sitting down": 1,
    "sitting": 1,
    "standing up from lying": 2,
    "standing up from sitting": 2,
    "standing up from sitting on the ground": 2,
    "walking": 3,
    "falling": 4,
    "on all fours": 5,
    "sitting on the ground": 6,
}
_CLASSES = 7
_WINDOW = 32
_STRIDE = 16
_SEED = 27731
_TICKS, _SHORTEST = 1e6, 0.01  # time stamps count 100 ns; elapsed counts 100 ms


def load(options: TaskOptions) -> Task:
    folder = folder_of_files(options, "person", [_FILE], _ADDRESS)
    recordings = read(folder / _FILE)
    if options.protocol == "paper":
        timeless = [Recording(recording.x, recording.y) for _, recording in recordings[:-1]]
        splits = dealt(windows(timeless, _WINDOW, _STRIDE, last=False), _SEED)
    else:
        splits = split(_by_person(recordings), _WINDOW, _STRIDE)
    train = splits["train"]
    valid = splits["valid"]
    return Task(
        name="person",
        kind="classification",
        every_step=True,
        outputs=_CLASSES,
        metric="accuracy",
        train=splits["train"],
        valid=splits["valid"],
        test=splits["test"],
        rules={
            "majority class": trivial_rules.majority(train, valid),
            "linear on the reading": trivial_rules.linear_classes(train, valid),
            "activity of the reading before": trivial_rules.previous_target(valid),
        },
        source=f"five people with four tags, {_ADDRESS}",
    )


def read(path: Path) -> list[tuple[str, Recording]]:
    """Read the recordings, in the order of the file.

    Args:
        path: `ConfLongDemo_JSI.txt`.

    Returns:
        Each recording with the letter of its person; rows in the order of their times.

    Raises:
        ValueError: See `files`.
    """
    table = read_table(path, _COLUMNS, header=False)
    tags = np.eye(len(_TAGS))[ids(table["tag"], _TAGS, path, "a tag")]
    x = np.concatenate([tags, numbers(table, ["x", "y", "z"], path)], axis=1)
    y = ids(table["activity"], _ACTIVITIES, path, "an activity")
    times = numbers(table, ["time"], path)[:, 0] / _TICKS
    names = table["recording"].astype(str).to_numpy()
    recordings = []
    for run in runs(np.append(False, names[1:] != names[:-1])):
        order = run.start + np.argsort(times[run], kind="stable")
        elapsed = np.maximum(np.diff(times[order], prepend=times[order[0]] - 1.0), _SHORTEST)
        recordings.append((names[run.start][:1], Recording(x[order], y[order], elapsed)))
    return recordings


def _by_person(recordings: list[tuple[str, Recording]]) -> Parts:
    people = sorted({person for person, _ in recordings})
    if len(people) < 3:
        raise ValueError(
            f"{_FILE} has the people {', '.join(people)}; "
            "three or more are wanted, to keep the splits apart"
        )
    of = {person: "train" for person in people[:-2]} | {people[-2]: "valid", people[-1]: "test"}
    parts: Parts = {"train": [], "valid": [], "test": []}
    for person, recording in recordings:
        parts[of[person]].append(recording)
    tags = len(_TAGS)
    scale = Scale.of(np.concatenate([recording.x[:, tags:] for recording in parts["train"]]))
    return {
        part: [_placed(recording, scale) for recording in chosen] for part, chosen in parts.items()
    }


def _placed(recording: Recording, scale: Scale) -> Recording:
    tags = len(_TAGS)
    x = np.concatenate([recording.x[:, :tags], scale(recording.x[:, tags:])], axis=1)
    return Recording(x, recording.y, recording.elapsed)
