"""`python -m executable_pages {check,update,notebook} PATH…`: the harness without pytest."""

import argparse
import sys
from pathlib import Path

from executable_pages import notebooks, updating
from executable_pages.blocks import PageError
from executable_pages.reading import find_pages


def main() -> int:
    """Run the command; the exit code is 1 if any page has a problem."""
    parser = argparse.ArgumentParser(prog="python -m executable_pages", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("check", "run the pages and say what on them is untrue"),
        ("update", "run the pages and rewrite what is untrue"),
        ("notebook", "write each page as a notebook beside it, or into a folder"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("paths", nargs="+", type=Path, help="Markdown files or folders")
        if name == "update":
            command.add_argument(
                "--exact", action="store_true", help="rewrite what differs by rounding, too"
            )
            command.add_argument(
                "--record", type=Path, help="a JSON file to write today's date and versions to"
            )
            command.add_argument(
                "--version-of", action="append", default=[], help="a distribution to record"
            )
        if name == "notebook":
            command.add_argument("--into", type=Path, help="the folder to write to")
    arguments = parser.parse_args()
    missing = [path for path in arguments.paths if not path.exists()]
    if missing:
        parser.error(f"there is no {missing[0]}: name a Markdown file or a folder")
    failed = False
    # A page that counts snippets comes after the pages whose snippets it counts.
    pages = sorted(find_pages(arguments.paths), key=lambda path: "= census." in path.read_text())
    for path in pages:
        try:
            if arguments.command == "check":
                problems = updating.check(path)
                print(*problems, sep="\n", end="\n" if problems else "")
                failed |= bool(problems)
            elif arguments.command == "update":
                for change in updating.update(path, exact=arguments.exact):
                    print(f"rewritten: {change}")
            else:
                target = (arguments.into or path.parent) / f"{path.stem}.ipynb"
                target.write_text(notebooks.export(path, wheel_url=None, page_url=None))
        except PageError as error:
            print(error, file=sys.stderr)
            if arguments.command == "update":
                print(f"{path}: nothing was rewritten, mend this first", file=sys.stderr)
            failed = True
    if arguments.command == "update" and arguments.record and not failed:
        updating.record(arguments.record, arguments.version_of)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
