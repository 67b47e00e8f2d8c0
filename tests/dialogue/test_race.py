"""race: two tills want the last pieces; exactly those there are get sold."""

import os
import subprocess
import sys

from matching import true

RACE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "race")


def test_twenty_races_for_the_last_ten_pieces(shop):
    result = subprocess.run([sys.executable, RACE, "TRIES=20", f"BUILD={shop.build}"],
                            capture_output=True, text=True, check=False)
    true(result.returncode == 0, result.stdout + result.stderr)
    true("20 with exactly 10 accepted" in result.stdout, result.stdout)
