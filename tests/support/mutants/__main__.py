"""Change the code a little, and see whether its tests notice: ``python -m support.mutants --mutants 300``.

A sample of all changes (:mod:`support.mutants.changes`) of the modules in :mod:`support.mutants.mapping` is drawn, and
the tests of its module run on each. Ends with 1 where fewer than 90 % are noticed. Neither mutmut (its tests are chosen
by a run of all of them, and children do not have its mutants) nor Cosmic Ray (one command for all modules, a new
interpreter for each mutant, no sample, annotations changed too) does this.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from random import Random

from support.mutants.changes import Change, changes
from support.mutants.mapping import TESTS
from support.mutants.trying import ROOT, Copy, Limits, Verdict

GOAL = 0.9
OUTCOMES = ("killed", "timed out", "survived")


@dataclass(frozen=True)
class Mutant:
    """A change of a module."""

    module: str
    change: Change

    def __str__(self) -> str:
        return f"{self.module}:{self.change.line}: {self.change}"


def main() -> int:
    """Draw a sample, try it, and say what came of it."""
    options = _options()
    modules = options.module or [*TESTS]
    mutants = sample(modules, options.mutants, options.seed)
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as scratch, ExitStack() as stack:
        copies = SimpleQueue[Copy]()
        for number in range(options.jobs):
            copies.put(stack.enter_context(Copy(Path(scratch, str(number)))))
        verdicts = dict(_tried(mutants, copies, options))
    print(*_table(modules, verdicts), sep="\n")
    print(*(f"survived: {mutant}" for mutant in mutants if verdicts[mutant].outcome == "survived"), sep="\n")
    share = sum(verdict.outcome != "survived" for verdict in verdicts.values()) / len(mutants)
    print(f"{share:.1%} of {len(mutants)} noticed, {time.monotonic() - began_s:.0f} s, seed {options.seed}")
    return 0 if share >= GOAL else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("--mutants", type=int, default=300, help="of all modules together")
    parser.add_argument("--seed", type=int, default=0, help="another one draws others")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--module", action="append", choices=[*TESTS], help="only this one; may be repeated")
    parser.add_argument("--verbose", action="store_true", help="print the outcome of each")
    return parser.parse_args()


def sample(modules: Iterable[str], n: int, seed: int) -> list[Mutant]:
    """Return those of ``n`` changes of all modules that are in these; all if they are not more.

    Whether a change is drawn depends on nothing but its own text and the seed, so that the sample stays where the
    code stays.
    """
    every = [Mutant(module, change) for module in TESTS for change in changes((ROOT / module).read_text())]
    wanted = {*modules}
    return [every[place] for place in sorted(_drawn(every, seed)[:n]) if every[place].module in wanted]


def _drawn(mutants: Sequence[Mutant], seed: int) -> list[int]:
    """Return the places of all, in a random order."""
    seen = Counter[str]()
    ranks = []
    for place, mutant in enumerate(mutants):
        text = f"{mutant.module} {mutant.change}"
        ranks.append((Random(f"{seed} {text} {seen[text]}").random(), place))
        seen[text] += 1
    return [place for _, place in sorted(ranks)]


def _tried(
    mutants: Sequence[Mutant], copies: SimpleQueue[Copy], options: argparse.Namespace
) -> Iterator[tuple[Mutant, Verdict]]:
    def limits_of(module: str) -> Limits:
        with _one_of(copies) as copy:
            whole = copy.run(TESTS[module], Limits())
        if whole.outcome != "survived":
            raise SystemExit(f"the tests of {module} are {whole.outcome} before it is changed:\n{whole.said}")
        if options.verbose:
            print(f"{module}: tests take {whole.cpu_s:.1f} s of CPU", flush=True)
        return Limits(4 + 3 * whole.cpu_s, 30 + 4 * whole.seconds)  # the machine may be busier then

    def judge(mutant: Mutant) -> Verdict:
        with _one_of(copies) as copy:
            verdict = copy.try_change(
                mutant.module, mutant.change, TESTS[mutant.module], limits[mutant.module]
            )
        if options.verbose:
            print(
                f"{verdict.outcome} in {verdict.cpu_s:.1f} s: {mutant}\n", end="", flush=True
            )  # of several threads
        return verdict

    with ThreadPoolExecutor(options.jobs) as pool:
        modules = [*dict.fromkeys(mutant.module for mutant in mutants)]
        limits = dict(zip(modules, pool.map(limits_of, modules), strict=True))
        yield from zip(mutants, pool.map(judge, mutants), strict=True)


@contextmanager
def _one_of(copies: SimpleQueue[Copy]) -> Iterator[Copy]:
    copy = copies.get()
    try:
        yield copy
    finally:
        copies.put(copy)


def _table(modules: Iterable[str], verdicts: dict[Mutant, Verdict]) -> Iterator[str]:
    yield f"{'module':40}" + "".join(f"{outcome:>11}" for outcome in OUTCOMES)
    total = Counter[str]()
    for module in modules:
        counts = Counter(verdict.outcome for mutant, verdict in verdicts.items() if mutant.module == module)
        total += counts
        yield f"{module:40}" + "".join(f"{counts[outcome]:11}" for outcome in OUTCOMES)
    yield f"{'all':40}" + "".join(f"{total[outcome]:11}" for outcome in OUTCOMES)


if __name__ == "__main__":
    sys.exit(main())
