"""The command line: python -m core train | sweep | evaluate | list | audit | fetch | import | export | bench | …

Owns: the arguments. Each command's work is in `core/cli/`. An error of ours is printed and exits with 2.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import MISSING, fields

from core import data, models, recipes
from core.config import TrainConfig
from core.errors import LabError

BENCHMARKS = (
    "forecast",
    "train",
    "scaling",
    "ablation",
    "lesson",
    "surgery",
    "scenes",
    "explain",
    "energy",
    "devices",
    "compiled",
    "gradients",
    "waiting",
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    from core.cli import commands, own, sweep

    elsewhere = {"import": own.bring, "sweep": sweep.sweep}
    try:
        return int((elsewhere.get(options.command) or getattr(commands, options.command))(options))
    except LabError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # `python -m core list | head`
        return 0
    except KeyboardInterrupt:  # by a command that has nothing to store
        print("Cut off.", file=sys.stderr)
        return commands.EXIT_CODES["interrupted"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m core", description="CNN Lab on the command line.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_train(commands.add_parser("train", help="train a network; the page sees and steers it too"))
    _add_sweep(commands.add_parser("sweep", help="train models with several seeds each; called again, it goes on"))
    evaluate = commands.add_parser("evaluate", help="the test figures of a run, at its best weights")
    evaluate.add_argument("run", help="the run's id")
    evaluate.add_argument("--again", action="store_true", help="open the sealed test set once more, and count it")
    evaluate.add_argument("--views", type=int, default=1, help="1, or 2 or 6 views of each image (never stored)")
    fetch = commands.add_parser("fetch", help="download a data set, once")
    fetch.add_argument("name", help=f"one of {', '.join(data.names())}")
    _add_import(commands.add_parser("import", help="make a data set of your own pictures"))
    export = commands.add_parser("export", help="write a run's network as a file that other programs run")
    export.add_argument("run", help="the run's id")
    export.add_argument("--to", choices=("onnx",), default="onnx", help="the format")
    export.add_argument("--out", metavar="FILE", help="where to (default: <run>.onnx in this folder)")
    commands.add_parser("list", help="all runs, the newest first")
    commands.add_parser("audit", help="check the files of all runs; changes nothing, exit code 1 if one is not whole")
    commands.add_parser(
        "reference", help="train the runs that ship, as far as they are not there; goes on where it was"
    )
    bench = commands.add_parser("bench", help="measure this machine; prints a table")
    bench.add_argument("what", choices=BENCHMARKS, help=f"one of {', '.join(BENCHMARKS)}")
    return parser


def _add_import(parser: argparse.ArgumentParser) -> None:
    source = "a folder with a folder of PNG or JPEG pictures a class, a ZIP of one, or an .npz with images and labels"
    parser.add_argument("path", nargs="?", metavar="PATH", help=source)
    parser.add_argument("--name", default="", help="what it is called (default: as the folder or file)")
    parser.add_argument("--size", type=int, metavar="N", help="pixels a side, 8 to 256 (default: as the pictures are)")
    parser.add_argument("--list", action="store_true", help="the data sets that were imported")
    parser.add_argument("--remove", metavar="ID", help="delete one of them for good")


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--resume", metavar="RUN", help="go on with a run that was paused or interrupted")
    parser.add_argument("--name", default="", help="a name for the run")
    _add_knobs(parser)


def _add_sweep(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--models", default="cnn", metavar="A,B", help=f"of {', '.join(models.names())}")
    parser.add_argument("--seeds", default="0-2", metavar="0-2", help="numbers and ranges (default 0-2)")
    parser.add_argument("--slots", type=int, default=1, help="runs at a time on this machine (default 1)")
    _add_knobs(parser, without=("model", "seed"))


def _add_knobs(parser: argparse.ArgumentParser, without: tuple[str, ...] = ()) -> None:
    parser.add_argument("--config", metavar="FILE", help="a JSON file with knobs; those on the command line win")
    known = {"model": models.names(), "dataset": data.names(), "recipe": recipes.names()}
    for spec in fields(TrainConfig):
        if spec.name in without:
            continue
        choices = known.get(spec.name) or spec.metadata["choices"]
        words = spec.metadata["help"] + (f": {', '.join(choices)}" if choices else "")
        words += f" (default {spec.default})" if spec.default not in (None, MISSING) else ""
        flag = "--" + spec.name.replace("_", "-")
        if spec.type == "bool":
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, help=words)
        else:
            kind = {"int": int, "float": float, "str": str}[str(spec.type)]
            parser.add_argument(flag, type=kind, help=words.replace("%", "%%"))


if __name__ == "__main__":
    sys.exit(main())
