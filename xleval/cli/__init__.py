"""The command line. Each command group is a module that is imported when it is called, not before."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from xleval import __version__

#: Command → module that has it under the same name, and the line of ``xleval --help``.
COMMANDS = {
    "run": ("xleval.cli.run", "Train what is missing, evaluate, record, print the table."),
    "plan": ("xleval.cli.plan", "Show the graph of a run: present, missing, shared, cost. Trains nothing."),
    "fetch": ("xleval.cli.fetch", "Bring the backbone and data of a run into the local caches."),
    "predict": ("xleval.cli.halves", "The first half of a run: train and predict into the store."),
    "score": ("xleval.cli.halves", "The second half of a run: score stored predictions. Loads no model."),
    "ls": ("xleval.cli.ls", "List tasks, strategies, backbones, languages, datasets, suites or metrics."),
    "show": ("xleval.cli.show", "Show one task, strategy, backbone, language, dataset or suite, whole."),
    "la": ("xleval.cli.la", "List, train and measure language adapters."),
    "validate": ("xleval.cli.validate", "Check task specs, suites and experiment files."),
    "results": ("xleval.cli.results", "Show or export recorded results."),
    "compare": ("xleval.cli.compare", "Which strategies differ, by how much, and how sure that is."),
    "leaderboard": ("xleval.cli.leaderboard", "Place results on the leaderboard, and check its entries."),
    "reproduce": ("xleval.cli.reproduce", "Run a published table, and print ours beside theirs."),
    "analyse": ("xleval.cli.analyse", "The papers' analyses as tables and figures: alignment, transfer and others."),
    "store": ("xleval.cli.store", "List, verify or clean the store of adapters and predictions."),
    "backbone": ("xleval.cli.backbone", "Make a small random backbone, for machines without a hub."),
    "plugins": ("xleval.cli.plugins", "List, write and check plugins."),
    "doctor": ("xleval.cli.doctor", "Versions, device, caches, plugins, hub: for bug reports."),
}


class _PipeClosedError(Exception):
    """Nobody reads standard output any more (`xleval ls languages | head`): no fault of this program."""


@contextmanager
def _pipe_closing() -> Iterator[None]:
    # click and rich answer a closed pipe with exit code 1, which here says that a cell failed.
    try:
        yield
    except BrokenPipeError:
        raise _PipeClosedError from None
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):
            raise _PipeClosedError from None
        raise


class _Lazy(click.Group):
    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _pipe_closing():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with _pipe_closing():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name][0]), cmd_name)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from xleval.errors import nearest

            raise click.UsageError(f"no command {args[0]!r}{nearest(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", prog_name="xleval")
@click.option("--no-plugin", multiple=True, metavar="NAME", help="Do not load this plugin (before it is imported).")
@click.option("--plugin-module", multiple=True, metavar="MODULE", help="Load an importable module as a plugin.")
@click.pass_context
def cli(ctx: click.Context, no_plugin: tuple[str, ...], plugin_module: tuple[str, ...]) -> None:
    """Evaluate cross-lingual transfer with adapters.

    Which way of combining language adapters and task adapters carries a task from English into a language
    with no task data, and is the difference real?

    \b
    xleval run                          the demo: offline, on a CPU, in minutes
    xleval run --strategy madx --strategy tlr-all-multi
    xleval ls strategies                what can be run
    xleval plan --task masakhaner --backbone mbert --text-dir DIR

    Exit codes: 0 done, 1 a cell or check failed, 2 wrong usage or input, 130 interrupted.
    Completion: eval "$(_XLEVAL_COMPLETE=bash_source xleval)", or zsh_source, fish_source.
    """
    ctx.obj = {"modules": plugin_module, "block": no_plugin}


def make_host(ctx: click.Context) -> Any:
    """The plugin host that the global options ask for; it warns of broken plugins on standard error."""
    from xleval.host import Host

    return Host(**ctx.obj)


def main() -> None:
    """Entry point: turns what a user can mend into one message and an exit code."""
    from xleval.errors import UserError

    # Its retries would bury the one message that says what to do.
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    warnings.formatwarning = lambda message, *rest, **more: f"warning: {message}\n"
    try:
        code = cli.main(prog_name="xleval", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except UserError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except (BrokenPipeError, _PipeClosedError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)
