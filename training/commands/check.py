"""`vocaldm-train check`: what is wrong with data, before anything is trained on them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import Annotated

import typer

from vocaldm_live.commands import JsonOption, results_only, table

MOST = 5  # sentences of a kind, unless all are wanted


def check(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A folder, a file, or hub:OWNER/NAME.")],
    given: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="How it is laid out; auto looks.")
    ] = "auto",
    all_of_them: Annotated[bool, typer.Option("--all", help="Print every sentence.")] = False,
    as_json: JsonOption = False,
) -> int:
    """Look for what is missing, unreadable, short, silent, clipped, doubled, leaking, of mixed rate or badly named.

    Exit code 1 where something is missing or unreadable, or lies in two splits; the rest is told and borne.
    """
    from training.commands import counting
    from training.data.check import GRAVE, KINDS
    from training.data.check import check as check_collection
    from training.data.formats import read_collection

    with results_only(as_json) as results:
        collection = read_collection(data, given)
        with counting("looking") as progress:
            findings = check_collection(collection, progress)
        counts: Counter[str] = Counter(finding.kind for finding in findings)
        grave = sum(counts[kind] for kind in GRAVE)
        splits = Counter(item.split or "none" for item in collection.items)
        if as_json:
            facts = {
                "name": collection.name,
                "items": len(collection.items),
                "imitations": sum(item.role == "imitation" for item in collection.items),
                "pairs": len(collection.pairs()),
                "groups": len(collection.groups()),
                "seconds": round(sum(item.seconds for item in collection.items), 3),
                "splits": dict(splits),
                "findings": [asdict(finding) for finding in findings],
            }
            print(json.dumps(facts), file=results)
            return 1 if grave else 0
        seconds = sum(item.seconds for item in collection.items)
        long = f", {seconds / 60:.1f} minutes" if seconds else ""
        print(
            f"{collection.name}: {len(collection.items)} items in {len(collection.groups())} groups, "
            f"{len(collection.pairs())} pairs{long}; splits: "
            + ", ".join(f"{name} {count}" for name, count in sorted(splits.items()))
        )
        print(table(("finding", "times"), [(kind, str(counts[kind])) for kind in KINDS]))
        for kind in KINDS:
            sentences = [finding.sentence for finding in findings if finding.kind == kind]
            for sentence in sentences if all_of_them else sentences[:MOST]:
                print(f"{kind}: {sentence}")
            if len(sentences) > MOST and not all_of_them:
                print(f"{kind}: {len(sentences) - MOST} more, which --all prints.")
        return 1 if grave else 0
