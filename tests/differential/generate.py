"""Valid programs that nobody wrote: `generate.py SEED COUNT` gives `[[name, source], ...]` as JSON.

The same number gives the same programs, with the same version of hypothesmith.
"""

import json
import sys

import hypothesmith
from hypothesis import HealthCheck, Phase, given, seed, settings

MOST_CHARACTERS = 4000
# A program may end with what no sandbox lets it do, or go on for ever: neither shows anything.
LEFT_OUT = ("input", "exit", "quit", "breakpoint", "open")


def programs(number: int, count: int) -> list[str]:
    found: list[str] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(hypothesmith.from_node())
    def collect(source: str) -> None:
        if len(source) < MOST_CHARACTERS and not any(word in source for word in LEFT_OUT):
            found.append(source)

    collect()
    return found


def main() -> None:
    number, count = int(sys.argv[1]), int(sys.argv[2])
    named = [[f"{number}-{at}", source] for at, source in enumerate(programs(number, count))]
    json.dump(named, sys.stdout)


main()
