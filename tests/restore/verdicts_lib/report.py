"""The confusion matrix and the disagreements, as text and as Markdown."""

from collections import Counter

from .programs import PROGRAMS

class Result:
    """The verdicts of CRIU and crit about one changed dump."""

    def __init__(self, program, change, truth, errors, outside):
        self.program = program
        self.change = change
        self.truth = truth
        self.errors = errors
        self.outside = outside
        self.restored = truth["restored"]
        self.sound = not errors

    @property
    def agrees(self):
        return self.restored == self.sound

    def lines(self):
        """Returns the lines that describe a disagreement."""
        what = "false alarm" if self.restored else "missed"
        how = "" if self.restored else f" ({self.truth['how']})"
        yield f"{what}{how}: {self.change.id} [{self.change.kind}]"
        yield f"    {self.change.about}"
        for error in self.errors[:3]:
            yield f"    crit: {error}"
        for detail in self.truth.get("bad", []):
            yield f"    task {detail}"
        for line in self.truth.get("log", [])[-4:]:
            yield f"    criu: {line}"


def percent(part, whole):
    return f"{100 * part / whole:.1f} %" if whole else "-"


class Matrix:
    """Counts of the four outcomes."""

    def __init__(self, results):
        counted = Counter((result.restored, result.sound) for result in results)
        self.sound = counted[True, True]
        self.alarms = counted[True, False]
        self.missed = counted[False, True]
        self.found = counted[False, False]

    @property
    def passes(self):
        refused = self.missed + self.found
        return self.alarms == 0 and (refused == 0 or self.found / refused >= 0.95)

    def text(self):
        restored, refused = self.sound + self.alarms, self.missed + self.found
        return [
            f"{'':16}{'crit: sound':>14}{'crit: refused':>16}",
            f"{'CRIU restored':16}{self.sound:14}{self.alarms:16}   false alarms {percent(self.alarms, restored)}",
            f"{'CRIU refused':16}{self.missed:14}{self.found:16}   found {percent(self.found, refused)}",
        ]


def by_program(results):
    groups = {}
    for result in results:
        groups.setdefault(result.program, []).append(result)
    return groups


def text(results, outside, skipped):
    """Returns all lines of the report."""
    lines = []
    for program, group in by_program(results).items():
        matrix = Matrix(group)
        lines.append(
            f"{program:12} {len(group):4} changes: restored {matrix.sound + matrix.alarms:3}"
            f" ({matrix.alarms} false alarms), refused {matrix.missed + matrix.found:3} ({matrix.missed} missed)"
        )
    lines += ["", *Matrix(results).text(), ""]
    bad = [result for result in results if not result.agrees]
    lines.append(f"{len(bad)} disagreements")
    for result in sorted(bad, key=lambda result: not result.restored):
        lines += list(result.lines())
    lines += ["", f"{len(outside)} refusals for reasons outside the images, not counted"]
    for result in outside:
        lines += [f"    {result.change.id}: {result.change.about}", f"        {result.outside}"]
    lines += [f"skipped: {line}" for line in skipped]
    return lines


def markdown(results, outside, skipped, seeds):
    """Returns the report as a Markdown document."""
    about = {program.name: program.about for program in PROGRAMS}
    total = Matrix(results)
    restored, refused = total.sound + total.alarms, total.missed + total.found
    lines = [
        f"Seeds {', '.join(map(str, seeds))}; {len(results)} dumps, changed or not; {len(outside)} more were refused "
        "for reasons outside the images.",
        "",
        "| | `crit check`: sound | `crit check`: refused | |",
        "|---|---|---|---|",
        f"| CRIU restored | {total.sound} | {total.alarms} | false alarms {percent(total.alarms, restored)} |",
        f"| CRIU refused | {total.missed} | {total.found} | found {percent(total.found, refused)} |",
        "",
        "| program | content | changes | restored | false alarms | refused | missed |",
        "|---|---|---|---|---|---|---|",
    ]
    for program, group in by_program(results).items():
        matrix = Matrix(group)
        lines.append(
            f"| {program} | {about[program]} | {len(group)} | {matrix.sound + matrix.alarms} | {matrix.alarms} "
            f"| {matrix.missed + matrix.found} | {matrix.missed} |"
        )
    bad = [result for result in results if not result.agrees]
    if bad:
        lines += ["", "| disagreement | change | CRIU |", "|---|---|---|"]
    for result in bad:
        about = result.change.about.replace("|", "\\|")
        said = "restored" if result.restored else f"refused ({result.truth['how']})"
        lines.append(f"| {result.change.id} | `{about}` | {said} |")
    lines += ["", *(f"Skipped: {line}." for line in skipped)]
    return "\n".join(lines).rstrip() + "\n"
