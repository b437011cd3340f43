"""Ray's failures: which are the fault of a node, and the line that names the fault."""

import pytest
from ray.exceptions import ActorDiedError, NodeDiedError, RayActorError, RayTaskError

from wiring_search.workers import ray_failures
from wiring_search.workers.ray_cluster import Node
from wiring_search.workers.ray_failures import brief, lost_with_node, raised_by_trainer


@pytest.fixture(autouse=True)
def one_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_failures, "nodes", lambda: [Node("here", 2.0, 0.0, 1e9)])


def _raised(text: str) -> RayTaskError:
    return RayTaskError("train", text, ValueError("3 is odd"))


@pytest.mark.parametrize(
    ("failure", "node", "lost"),
    [
        (NodeDiedError("gone"), "here", True),
        (RayActorError("", "its node has died"), "here", True),
        (RayActorError("", "", False, True), "here", True),  # preempted
        (ActorDiedError(), "elsewhere", True),
        (ActorDiedError(), "here", False),
        (_raised("ValueError: 3 is odd"), "elsewhere", False),
    ],
)
def test_a_worker_is_lost_with_its_node_alone(failure: Exception, node: str, lost: bool) -> None:
    assert lost_with_node(failure, node) is lost


def test_the_last_line_without_colours_names_the_fault() -> None:
    failure = _raised("\x1b[36mray::train()\x1b[39m\n  line 3\nValueError: 3 is odd\n")
    assert raised_by_trainer(failure)
    assert brief(failure) == "ValueError: 3 is odd"


def test_other_failures_are_named_by_their_type() -> None:
    assert brief(OSError("first\nsecond")) == "OSError: second"
    assert brief(OSError()) == "OSError: "
