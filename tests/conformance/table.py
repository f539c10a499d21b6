"""The table that a run ends with: each call, what was checked, and whether it held."""

from contextlib import contextmanager

import wire


class Row:
    """One call of one client."""

    def __init__(self, client, call):
        self.client, self.call = client, call
        self.checks = []  # (what, held, why not)
        self.answers = []

    def check(self, what, held, why=""):
        """Notes what was checked; goes on either way."""
        self.checks.append((what, bool(held), "" if held else str(why)[:300]))

    def same(self, what, have, want):
        """Both are equal."""
        self.check(what, have == want, f"{have!r}, wanted {want!r}")

    @property
    def held(self):
        """Whether all of it did."""
        return all(held for _, held, _ in self.checks)


class Table:
    """All calls of a run."""

    def __init__(self):
        self.rows, self.models = [], wire.Models()

    @contextmanager
    def call(self, client, name):
        """Everything inside is about that call; what it raises is a failure of it."""
        row, begin = Row(client, name), len(wire.ANSWERS)
        try:
            yield row
        except Exception as error:  # whatever a client raises is what this is about
            row.check("it is answered", False, f"{type(error).__name__}: {error}")
        row.answers = wire.ANSWERS[begin:]
        seen = [answer for answer in row.answers if self.models.of(answer)[0]]
        if seen:
            wrong = [problem for answer in seen for problem in self.models.problems(answer)]
            missing = [problem for problem in wrong if problem.endswith("is missing")]
            typed = [problem for problem in wrong if not problem.endswith("is missing")]
            row.check("fields", not missing, "; ".join(sorted(set(missing))[:3]))
            row.check("JSON types", not typed, "; ".join(sorted(set(typed))[:3]))
        if not row.checks:
            row.check("it is answered", True)
        self.rows.append(row)

    @contextmanager
    def whole(self, part):
        """What goes wrong between the calls of a part is a failure too."""
        try:
            yield
        except Exception as error:
            row = Row("suite", part)
            row.check("it runs to its end", False, f"{type(error).__name__}: {error}")
            self.rows.append(row)

    def failed(self):
        """`call: check` of everything that did not hold."""
        return {f"{row.call}: {what}": why
                for row in self.rows for what, held, why in row.checks if not held}

    def show(self):
        """Prints it."""
        wide = max((len(row.client) + len(row.call) + 1 for row in self.rows), default=0)
        for row in self.rows:
            label = f"{row.client} {row.call}".ljust(wide)
            print(f"{'ok    ' if row.held else 'FAILED'} {label}  {', '.join(w for w, _, _ in row.checks)}")
            for what, held, why in row.checks:
                if not held:
                    print(f"       {' ' * wide}  ! {what}: {why}")
        checks = sum(len(row.checks) for row in self.rows)
        bad = len(self.failed())
        print(f"{len(self.rows)} calls, {checks} checks, {bad} failed")
