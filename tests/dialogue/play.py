#!/usr/bin/env python3
"""play: holds one dialogue: play.py FILE FUNCTION BUILD DIRECTORY.

Exit status: 0 passed, 1 failed, 77 skipped, with the reason as the last line.
"""

import importlib.util
import os
import sys
import traceback

PASSED, FAILED, SKIPPED = 0, 1, 77


def load(path):
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main():
    path, function, build, directory = sys.argv[1:]
    module = load(path)
    from shop import Shop
    from waiting import Failure, Skip

    shop = Shop(directory, build)
    try:
        getattr(module, function)(shop)
        shop.close()
    except Skip as skip:
        shop.abandon()
        print(skip)
        return SKIPPED
    except Failure as failure:
        print(f"line {place_in(path, failure)}: {failure}")
        shop.abandon()
        return FAILED
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        shop.abandon()
        return FAILED
    return PASSED


def place_in(path, failure):
    """The dialogue's own line that failed; 0 where it was the cleaning up."""
    lines = [frame.lineno for frame in traceback.extract_tb(failure.__traceback__)
             if frame.filename == path]
    return lines[-1] if lines else 0


if __name__ == "__main__":
    sys.exit(main())
