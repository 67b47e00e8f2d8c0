"""tills: how fast documents are acknowledged, beside what disk, network and SQLite can do."""

from figures import Figures, ratio

ONE_AT_A_TIME = 1
PIPELINED = 64
SLOW_DISK = ("slow_sync",)


class Tills:
    """Cells (terminals, window) measured in rounds, each in a fresh daemon, with the bare limits
    of the machine measured in between; `preload`: shims for the daemon and for the bare disk."""

    def __init__(self, house, settings, cells, preload=()):
        self.house = house
        self.settings = settings
        self.preload = preload
        self.limits = Figures()
        self.cells = {cell: Figures() for cell in cells}
        self.receipt_bytes = 0

    def measure(self, tell):
        for number in range(self.settings.rounds):
            tell(f"round {number + 1} of {self.settings.rounds}")
            self._measure_limits(tell)
            for cell in self.cells:
                self._measure_cell(cell)
                tell(self._cell_line(cell))

    def _measure_limits(self, tell):
        milliseconds = self.settings.limit_ms
        sync = self.house.bench("limits", "sync", self.house.directory, milliseconds,
                                preload=self.preload)
        loopback = self.house.bench("limits", "loopback", milliseconds)
        self.receipt_bytes = sync["bytes"]
        self.limits.add(sync_per_s=sync["per_s"], sync_p50_us=sync["p50_us"],
                        sync_p99_us=sync["p99_us"], loopback_per_s=loopback["per_s"],
                        loopback_p50_us=loopback["p50_us"], loopback_p99_us=loopback["p99_us"])
        tell(f"  append {sync['bytes']} bytes + fdatasync: {sync['per_s']:,.0f}/s, p50 "
             f"{sync['p50_us']} µs; loopback round trip: p50 {loopback['p50_us']} µs")

    def _measure_cell(self, cell):
        terminals, window = cell
        daemon, _ = self.house.daemon(preload=self.preload)
        before = self.house.status(daemon)["journal"]
        load = self.house.load(daemon, "--terminals", terminals, "--window", window,
                               "--duration", self.settings.load_s)
        after = self.house.status(daemon)["journal"]
        self.house.clear(daemon)
        commits = after["commits"] - before["commits"]
        rows = ratio(after["records"] - before["records"], commits)
        figures = self.cells[cell]
        figures.add(documents_per_s=load["acknowledged_per_s"], p50_us=load["p50_us"],
                    p99_us=load["p99_us"], commits_per_s=ratio(commits, load["seconds"]),
                    rows_per_commit=rows,
                    of_sync=ratio(commits / load["seconds"], self._last("sync_per_s")),
                    times_bare=ratio(load["p50_us"],
                                     self._last("sync_p50_us") + self._last("loopback_p50_us")))
        if not self.preload:
            sqlite = self.house.bench("limits", "sqlite", self.house.directory,
                                      self.settings.limit_ms, max(1, round(rows)))
            figures.add(sqlite_per_s=sqlite["per_s"],
                        of_sqlite=ratio(load["acknowledged_per_s"], sqlite["per_s"]))

    def _last(self, limit):
        """A limit as measured in this round."""
        return self.limits[limit].values[-1]

    def _cell_line(self, cell):
        last = {name: figure.values[-1] for name, figure in self.cells[cell].items()}
        line = (f"  {cell[0]:3} terminals x {cell[1]:2}: {last['documents_per_s']:8,.0f} "
                f"documents/s, p50 {last['p50_us']:,} µs, p99 {last['p99_us']:,} µs, "
                f"{last['rows_per_commit']:,.1f} a commit")
        if "of_sqlite" in last:
            line += f", {last['of_sqlite']:.2f} of bare SQLite"
        return line

    def of_one(self, cell):
        """Documents a second as a multiple of one terminal's, median of the rounds' ratios."""
        one = self.cells[(1, cell[1])]["documents_per_s"].values
        many = self.cells[cell]["documents_per_s"].values
        figures = Figures()
        for pair in zip(many, one):
            figures.add(of_one=ratio(*pair))
        return figures["of_one"]
