"""Numbers to words."""

import statistics


def quantile(values, q):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def spread(values):
    """Median and range of a few rounds."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "rounds": len(values)}


def shown(values, form="{:.3f}"):
    each = spread(values)
    return f"{form.format(each['median'])} ({form.format(each['min'])} to {form.format(each['max'])})"
