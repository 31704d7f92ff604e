"""The Home Assistant blueprint's templates, rendered, and what its actions do to a charger."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

yaml = pytest.importorskip("yaml", reason="needs PyYAML")
nativetypes = pytest.importorskip("jinja2.nativetypes", reason="needs Jinja")

BLUEPRINT = Path(__file__).parents[2] / "examples/home-assistant/limit_charger.yaml"
LIMIT, DRAWN = "number.limit", "sensor.drawn"


class Loader(yaml.SafeLoader):  # type: ignore[misc,name-defined]  # PyYAML is optional
    """Puts the inputs in, as Home Assistant does."""

    inputs: ClassVar[dict[str, Any]] = {}


Loader.add_constructor("!input", lambda loader, node: loader.inputs[loader.construct_scalar(node)])


@dataclass
class House:
    """A charger with its two entities, and an automation made of the blueprint."""

    drawn_a: str = "0.0"
    limit_a: str = "16"
    inputs: dict[str, Any] = field(default_factory=dict)
    waited_s: list[float] = field(default_factory=list)
    written: list[float] = field(default_factory=list)

    def hears(self, **message: Any) -> House:
        """Run the automation for a headroom message, to its end."""
        return self._run({"platform": "mqtt", "payload_json": json.loads(json.dumps(message))})

    def starts(self) -> House:
        """Run it at Home Assistant's start."""
        return self._run({"platform": "homeassistant", "id": "start"})

    def _run(self, trigger: dict[str, Any]) -> House:
        automation = self._automation()
        known: dict[str, Any] = {"trigger": trigger}
        for name, template in automation["variables"].items():
            known[name] = self._render(template, known)
        self._act(automation["actions"], known)
        return self

    def _automation(self) -> Any:
        text = BLUEPRINT.read_text()
        Loader.inputs = {}
        described = yaml.load(text.replace("!input", ""), Loader)["blueprint"]["input"]
        defaults = {name: told["default"] for name, told in described.items() if "default" in told}
        given = {"topic": "sensed/pi/headroom", "drawn": DRAWN, "limit": LIMIT}
        assert set(described) == set(defaults) | set(given)
        Loader.inputs = {**defaults, **given, **self.inputs}
        return yaml.load(text, Loader)

    def _act(self, actions: list[Any], known: dict[str, Any]) -> None:
        for action in actions:
            match action:
                case {"if": [{"value_template": condition}], "then": then}:
                    if self._render(condition, known):
                        self._act(then, known)
                case {"condition": "template", "value_template": condition}:
                    if not self._render(condition, known):
                        return
                case {"delay": {"seconds": seconds}}:
                    self.waited_s.append(self._render(seconds, known))
                case {"action": "number.set_value", "target": target, "data": data}:
                    assert target == {"entity_id": LIMIT}
                    self.written.append(float(self._render(data["value"], known)))
                    self.limit_a = str(self.written[-1])
                case _:
                    pytest.fail(f"the test does not know {action}")

    def _render(self, template: Any, known: dict[str, Any]) -> Any:
        if not isinstance(template, str) or "{" not in template:
            return template
        environment = nativetypes.NativeEnvironment()
        environment.filters["float"] = _float
        environment.globals["states"] = {DRAWN: self.drawn_a, LIMIT: self.limit_a}.__getitem__
        result = environment.from_string(template).render(known)
        if isinstance(result, str):
            try:
                return ast.literal_eval(result.strip())
            except (ValueError, SyntaxError):
                return result.strip()
        return result


def _float(value: Any, default: float | None = None) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        if default is None:
            raise
        return default


LIVE = {"mode": "live", "headroom_a": [9.4, 4.0, 20.0], "failsafe_a": 6, "ttl_s": 30}


def test_a_permission_is_what_is_drawn_and_the_room_of_the_fullest_phase_until_it_ends() -> None:
    house = House(drawn_a="6.5").hears(**LIVE)
    assert house.waited_s == [30]
    assert house.written == [10.0, 6.0]


def test_only_the_phases_that_the_charger_uses_count() -> None:
    house = House(drawn_a="3.0", inputs={"phases": ["0"]}).hears(**LIVE)
    assert house.written == [12.0, 6.0]
    house = House(drawn_a="3.0", inputs={"phases": ["0", "2"]}).hears(
        **{**LIVE, "headroom_a": [9.4, None, None]}
    )
    assert house.written == [12.0, 6.0]


@pytest.mark.parametrize(
    ("drawn_a", "message", "limits"),
    [
        ("16.0", {**LIVE, "headroom_a": [30.0, 30.0, 30.0]}, [6.0]),  # 16 A stand already
        ("10.0", {**LIVE, "headroom_a": [1.0, -5.5, 3.0]}, [0.0, 6.0]),  # 4.5 A: a pause
        ("10.0", {**LIVE, "mode": "estimated"}, [14.0, 6.0]),
        ("10.0", {**LIVE, "failsafe_a": 0}, [14.0, 0.0]),
        ("10.0", {**LIVE, "failsafe_a": 8.9}, [14.0, 8.0]),
    ],
)
def test_limits_are_whole_ampere_a_pause_below_6_and_at_most_the_charger_s(
    drawn_a: str, message: dict[str, Any], limits: list[float]
) -> None:
    assert House(drawn_a=drawn_a).hears(**message).written == limits


@pytest.mark.parametrize(
    ("drawn_a", "message"),
    [
        ("10.0", {"mode": "failsafe", "headroom_a": None, "failsafe_a": 6, "ttl_s": None}),
        ("10.0", {"mode": "unheard-of", "headroom_a": [9, 9, 9], "failsafe_a": 6, "ttl_s": 30}),
        ("unavailable", LIVE),
        ("10.0", {**LIVE, "headroom_a": []}),
        ("10.0", {**LIVE, "headroom_a": [None, "9", None]}),
        ("10.0", {"failsafe_a": 6}),
    ],
)
def test_what_is_no_permission_is_the_fail_safe_at_once(
    drawn_a: str, message: dict[str, Any]
) -> None:
    house = House(drawn_a=drawn_a).hears(**message)
    assert (house.written, house.waited_s) == ([6.0], [])


def test_a_start_knows_nothing_and_falls_to_the_fail_safe_that_was_given() -> None:
    house = House(drawn_a="10.0", inputs={"failsafe": 8}).starts()
    assert (house.written, house.waited_s) == ([8.0], [])


def test_a_limit_that_stands_already_is_not_written_again() -> None:
    house = House(limit_a="6.0").hears(**{**LIVE, "mode": "failsafe"})
    assert house.written == []
