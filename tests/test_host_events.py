"""Events: every listener hears them in order; one that fails is told of once and switched off."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pytest
from conftest import MakePlugin
from test_host import FINE

from xleval import hookimpl
from xleval.events import Event, Notice, RunFinished
from xleval.host import Host, PluginWarning


class Listener:
    def __init__(self) -> None:
        self.heard: list[Event] = []

    @hookimpl
    def xleval_event(self, event: Event) -> None:
        self.heard.append(event)


def test_events_reach_every_listener_in_order() -> None:
    host, one, two = Host(), Listener(), Listener()
    host.listen("one", one)
    host.listen("two", two)
    events = [Notice("a"), Notice("b")]
    for event in events:
        host.emit(event)
    assert one.heard == two.heard == events


def test_a_tracker_that_raises_is_switched_off_once_and_the_rest_go_on(temporary_plugin: MakePlugin) -> None:
    temporary_plugin(
        "xl_tracker",
        FINE
        + """
    calls = []

    @hookimpl
    def xleval_event(event):
        calls.append(event)
        raise OSError("server gone")
    """,
    )
    host, listener = Host(), Listener()
    host.listen("listener", listener)
    host.emit(Notice("first"))
    host.emit(Notice("second"))
    assert len(sys.modules["xl_tracker"].calls) == 1
    texts = [event.text for event in listener.heard if isinstance(event, Notice)]
    assert len(texts) == 3
    assert {"first", "second"} < set(texts)
    (report,) = set(texts) - {"first", "second"}
    assert "xl-tracker" in report and "xl-tracker 1.2.3" in report and "OSError: server gone" in report
    # Its strategies stay: a tracker's failure costs the run nothing.
    assert host.choose_strategy("fine").plugin == "xl-tracker"


def test_a_tracker_that_raises_with_nobody_to_tell_is_a_warning() -> None:
    class Raises:
        @hookimpl
        def xleval_event(self, event: Event) -> None:
            raise ValueError("no")

    host = Host()
    host.listen("raises", Raises())
    with pytest.warns(PluginWarning, match="ValueError: no"):
        host.emit(Notice("x"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        host.emit(RunFinished(1, 0, Path()))


def test_ctrl_c_in_a_tracker_is_not_swallowed() -> None:
    class Interrupted:
        @hookimpl
        def xleval_event(self, event: Event) -> None:
            raise KeyboardInterrupt

    host = Host()
    host.listen("interrupted", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        host.emit(Notice("x"))
