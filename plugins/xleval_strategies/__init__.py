"""Built-in strategies. Each says which language adapters (LA) the task adapter (TA) is trained on, and which
one stands under it at inference. To add one, write a class like those here and list it below.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from xleval import hookimpl
from xleval_strategies.ablations import FullFineTuning, LaNone, LaNoneTr, LaSource, LaTarget
from xleval_strategies.faisal import FusedLAs, Transfer
from xleval_strategies.madx import BadX, MadX, MadXV1, MultilingualLA
from xleval_strategies.tlr import AllMulti, Bilingual, LeaveOutTarg, LeaveOutTask, Target, TaskMulti

if TYPE_CHECKING:
    from xleval.recipe import Strategy


@hookimpl
def xleval_strategies() -> Iterable[Strategy]:
    """The strategies of this package."""
    return [
        MadX(), MadXV1(), BadX(), MultilingualLA(),
        Target(), Bilingual(), TaskMulti(), AllMulti(), LeaveOutTask(), LeaveOutTarg(),
        LaTarget(), LaSource(), LaNone(), LaNoneTr(), FullFineTuning(),
        Transfer(), FusedLAs(),
    ]  # fmt: skip
