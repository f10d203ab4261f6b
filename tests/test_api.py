"""``import xleval``: the public names, which cost nothing until they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import xleval


@pytest.mark.parametrize("name", [name for name in xleval.__all__ if name[0] != "_"])
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(xleval, name) is not None
    assert name in xleval.__all__


def test_run_and_plan_stay_functions_whatever_is_imported() -> None:
    # Modules of the same names define them, and importing a module sets it on its package.
    import xleval.plan
    import xleval.run
    from xleval.run import execute

    assert callable(execute)
    for _ in range(2):
        assert callable(xleval.run) and callable(xleval.plan)
    assert (xleval.run.__module__, xleval.plan.__module__) == ("xleval.run", "xleval.plan")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'xleval' has no attribute 'rnu'"):
        _ = xleval.rnu  # type: ignore[attr-defined]


def test_importing_the_package_imports_nothing_of_it() -> None:
    code = "import sys, xleval; print(*(name for name in sys.modules if name.startswith(('xleval.', 'yaml', 'numpy'))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
