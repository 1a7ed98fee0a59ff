"""Turns, ratios and verdicts: the cells of the tables."""

import statistics


def take_turns(turns, *variants):
    """The results of each variant; every other turn is in the opposite order."""
    results = [[] for _ in variants]
    for turn in range(turns):
        order = range(len(variants))
        for i in order if turn % 2 == 0 else reversed(order):
            results[i].append(variants[i]())
    return results


def verdict(low, high, bar):
    return "met" if high <= bar else "**missed**" if low > bar else "unclear"


def ratio_row(name, unit, scale, ours, others, bar):
    """The interval holds the true median in 95 of 100 runs (as the notches of a box plot do)."""
    q1, ratio, q3 = statistics.quantiles([x / y for x, y in zip(ours, others)], n=4)
    notch = 1.57 * (q3 - q1) / len(ours) ** 0.5
    low, high = ratio - notch, ratio + notch
    print(f"| {name} | {statistics.median(ours) * scale:.1f} {unit} "
          f"| {statistics.median(others) * scale:.1f} {unit} | {ratio:.3f} | {low:.3f} to {high:.3f} "
          f"| {min(ours) / min(others):.3f} "
          f"| {f'{bar} | {verdict(low, high, bar)}' if bar else '- | -'} |", flush=True)
