"""figures: numbers measured several times, and how they are written for a person."""

import statistics


class Figure:
    """What several rounds measured of one thing."""

    def __init__(self):
        self.values = []

    def add(self, value):
        self.values.append(value)

    def median(self):
        return statistics.median(self.values)

    def text(self, write):
        """Median, and the least and most where they read differently."""
        least, most = write(min(self.values)), write(max(self.values))
        middle = write(self.median())
        return middle if least == most else f"{middle} ({least} – {most})"


class Figures(dict):
    """Figures by name; one that was never added to is made."""

    def __missing__(self, name):
        self[name] = Figure()
        return self[name]

    def add(self, **values):
        for name, value in values.items():
            self[name].add(value)


def ratio(part, whole):
    return part / whole if whole else 0.0


# --- how a value is written


def count(value):
    return f"{value:,.0f}"


def decimal(value):
    return f"{value:,.1f}"


def share(value):
    return f"{value:.2f}"


def microseconds(value):
    return f"{value:,.0f} µs" if value < 10000 else f"{value / 1000:,.1f} ms"


def milliseconds(value):
    return f"{value:,.0f} ms" if value < 10000 else f"{value / 1000:,.1f} s"


def mebibytes(value):
    return f"{value / 2**20:,.1f} MiB"


def kibibytes(value):
    return f"{value / 1024:,.2f} KiB"
