"""What stands on the bench: one emulated Pi per test run and everything around it.

Scenarios run only from scripts/test-pi, which builds the card and names it in SENSED_PI.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.background import Background
    from harness.house import AccessPoint, Broker
    from harness.light import Light
    from harness.meter import Meter
    from harness.phone import Air, Phone
    from harness.pi import Pi
    from harness.product import Product

_IMAGE = os.environ.get("SENSED_PI")
_FROZEN = os.environ.get("SENSED_PI_FROZEN")
_PACKAGE = os.environ.get("SENSED_PI_DEB")
_LOGS = Path(os.environ.get("SENSED_PI_LOGS", "."))
_PI = pytest.StashKey["Pi"]()
_SCENARIO_DEADLINE_S = 3000


def pytest_configure() -> None:
    if _IMAGE:
        # Whoever ends the run ends it in order: no QEMU and no card stays behind.
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip = pytest.mark.skip(reason="needs the emulated Raspberry Pi: run scripts/test-pi")
    for item in items:
        if item.get_closest_marker("pi"):
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(_SCENARIO_DEADLINE_S, func_only=False))
            if not _IMAGE:
                item.add_marker(skip)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    pi = item.stash.get(_PI, None)
    if report.failed and pi is not None and pi.is_on:
        report.sections.append(("the Pi's journal", pi.last_lines()))
    if report.failed:
        # The run is long: what failed can be read while it goes on.
        _LOGS.mkdir(parents=True, exist_ok=True)
        with (_LOGS / "failures.log").open("a") as log:
            log.write(f"{report.nodeid}, {report.when}\n{report.longreprtext}\n\n")
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell the figures that scenarios have measured."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for what, figure in report.user_properties:
            terminalreporter.write_line(f"measured: {what}: {figure}")


@pytest.fixture(scope="session")
def background() -> Iterator[Background]:
    from harness.background import Background

    loop = Background()
    yield loop
    loop.stop()


@pytest.fixture(scope="session")
def air(background: Background) -> Air:
    from harness.phone import Air

    return Air(background)


@pytest.fixture(scope="session")
def whole_meter(background: Background) -> Meter:
    from harness.meter import Meter

    return Meter(background)


@pytest.fixture(scope="session")
def whole_pi(air: Air, whole_meter: Meter) -> Iterator[Pi]:
    from harness.machine import Image
    from harness.pi import Pi

    assert _IMAGE is not None
    assert _FROZEN is not None
    with tempfile.TemporaryDirectory(prefix="sensed-pi.") as folder:
        pi = Pi(Image(Path(_IMAGE), Path(_FROZEN)), Path(folder))
        pi.at_power_on(lambda machine: air.wire_to(machine.hci_path))
        pi.at_power_on(lambda machine: whole_meter.wire_to(machine.meter_path, machine.qmp, pi.run))
        try:
            pi.power_on()
            yield pi
        finally:
            try:
                pi.keep_evidence(_LOGS)
            finally:
                pi.cut_power()


@pytest.fixture
def pi(whole_pi: Pi, request: pytest.FixtureRequest) -> Pi:
    """The Pi, with power on; what it wrote to its journal goes into the report of a failure."""
    if not whole_pi.is_on:
        whole_pi.power_on()
    request.node.stash[_PI] = whole_pi
    return whole_pi


@pytest.fixture
def light(pi: Pi) -> Light:
    return pi.light


@pytest.fixture
def meter(pi: Pi, whole_meter: Meter) -> Iterator[Meter]:
    """The meter, sending, its adapter not plugged in unless the scenario does so."""
    assert pi.is_on
    whole_meter.unplug()
    whole_meter.sends()
    yield whole_meter
    whole_meter.is_silent()
    whole_meter.unplug()


@pytest.fixture
def access_point(pi: Pi) -> AccessPoint:
    from harness.house import AccessPoint

    return AccessPoint(pi)


@pytest.fixture
def broker(pi: Pi) -> Broker:
    from harness.house import Broker

    return Broker(pi)


@pytest.fixture(scope="session")
def whole_phone(background: Background, air: Air) -> Phone:
    from harness.phone import Phone

    return Phone(background, air)


@pytest.fixture
def phone(pi: Pi, whole_phone: Phone) -> Iterator[Phone]:
    assert pi.is_on
    yield whole_phone
    whole_phone.disconnects()


@pytest.fixture(scope="session")
def whole_other_phone(background: Background, air: Air) -> Phone:
    from harness.phone import Phone

    return Phone(background, air, number=2)


@pytest.fixture
def other_phone(pi: Pi, whole_other_phone: Phone) -> Iterator[Phone]:
    assert pi.is_on
    yield whole_other_phone
    whole_other_phone.disconnects()


@pytest.fixture(scope="session")
def installed(whole_pi: Pi) -> Product:
    """The product, installed from its package once per test run."""
    from harness.product import Product

    if not _PACKAGE:
        pytest.skip("needs the package: scripts/test-pi builds it, or takes --deb FILE")
    product = Product(whole_pi)
    product.install(Path(_PACKAGE))
    return product


@pytest.fixture
def product(pi: Pi, installed: Product) -> Product:
    assert pi.is_on
    return installed


@pytest.fixture
def green(
    *,
    pi: Pi,
    product: Product,
    whole_meter: Meter,
    access_point: AccessPoint,
    broker: Broker,
    light: Light,
) -> None:
    """Everything around the Pi is there, the product is set up, and the light is green."""
    access_point.on()
    broker.on()
    whole_meter.sends()
    whole_meter.plug_in()
    if not pi.knows(access_point):
        pi.joins(access_point)
    if not product.is_configured_for(broker):
        product.configure(broker)
    light.shows("active")
