"""Option groups: a dataclass is one parameter of a command and one option per field."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer
from typer.testing import CliRunner

from wiring_search.cli.groups import expand_groups


@dataclass(frozen=True)
class Kitchen:
    PANEL: ClassVar = "Kitchen"

    pots: Annotated[int, typer.Option(min=1, help="How many.")] = 2
    oven: Annotated[str | None, typer.Option("--stove", envvar="STOVE")] = None
    gas: Annotated[bool, typer.Option(help="Gas.")] = False


def _app(calls: list) -> typer.Typer:
    app = typer.Typer()

    @app.command()
    @expand_groups
    def cook(dish: str, kitchen: Kitchen, guests: int = 4) -> None:
        """Cook a dish."""
        calls.append((dish, kitchen, guests))

    return app


def test_options_reach_the_group_and_the_other_parameters() -> None:
    calls: list = []
    arguments = ["soup", "--pots", "3", "--gas", "--guests", "7"]
    done = CliRunner().invoke(_app(calls), arguments, env={"STOVE": "wood"})
    assert done.exit_code == 0, done.output
    assert calls == [("soup", Kitchen(3, "wood", True), 7)]


def test_what_is_left_out_is_the_groups_default() -> None:
    calls: list = []
    CliRunner().invoke(_app(calls), ["soup"])
    assert calls == [("soup", Kitchen(), 4)]


def test_a_value_out_of_range_is_refused() -> None:
    calls: list = []
    done = CliRunner().invoke(_app(calls), ["soup", "--pots", "0"])
    assert done.exit_code == 2
    assert calls == []


def test_help_has_the_groups_panel() -> None:
    text = CliRunner().invoke(_app([]), ["--help"], env={"TERMINAL_WIDTH": "80"}).output
    panel = text[text.index("─ Kitchen ─") :]
    assert "--pots" in panel
    assert "--stove" in panel
    assert "--guests" not in panel
