"""drain: how fast the applier counts a journal, beside bare SQLite writing the same rows."""

from figures import Figures, ratio

SPREADS = ("even", "hot", "shop")


class Drain:
    def __init__(self, house, settings):
        self.house = house
        self.settings = settings
        self.spreads = {spread: Figures() for spread in SPREADS}
        self.hot_of_even = Figures()
        self.lines_per_document = 0.0

    @staticmethod
    def directory(spread):
        return f"journal-{spread}"

    def measure(self, tell):
        for spread in SPREADS:
            written = self.house.bench("applier", "write", self.house.path(self.directory(spread)),
                                       self.settings.documents, spread)
            self.lines_per_document = ratio(written["lines"], written["documents"])
            self.spreads[spread].add(journaled_per_s=ratio(written["documents"],
                                                           written["seconds"]))
            tell(f"  journal of {written['documents']:,} documents, {spread}: written in "
                 f"{written['seconds']:.1f} s")
        for number in range(self.settings.rounds):
            tell(f"round {number + 1} of {self.settings.rounds}")
            # There and back, so that no spread is always the first.
            for spread in SPREADS if number % 2 == 0 else reversed(SPREADS):
                self._measure_spread(spread, tell)
            self.hot_of_even.add(documents=ratio(
                self.spreads["hot"]["documents_per_s"].values[-1],
                self.spreads["even"]["documents_per_s"].values[-1]))

    def _measure_spread(self, spread, tell):
        directory = self.house.path(self.directory(spread))
        applied = self.house.bench("applier", "apply", directory)
        bare = self.house.bench("applier", "peer", directory)
        documents_per_s = ratio(applied["documents"], applied["seconds"])
        bare_per_s = ratio(bare["documents"], bare["seconds"])
        self.spreads[spread].add(documents_per_s=documents_per_s,
                                 lines_per_s=ratio(applied["lines"], applied["seconds"]),
                                 processor_us=1e6 * ratio(applied["processor_seconds"],
                                                          applied["documents"]),
                                 bare_processor_us=1e6 * ratio(bare["processor_seconds"],
                                                               bare["documents"]),
                                 bare_per_s=bare_per_s, of_bare=ratio(documents_per_s, bare_per_s),
                                 peak_bytes=applied["peak_bytes"],
                                 stock_bytes=applied["stock_bytes"])
        tell(f"  {spread:4}: {documents_per_s:8,.0f} documents/s, bare SQLite {bare_per_s:8,.0f}, "
             f"ratio {ratio(documents_per_s, bare_per_s):.2f}, "
             f"{self.spreads[spread]['processor_us'].values[-1]:.1f} µs of a processor a document, "
             f"peak {applied['peak_bytes'] / 2**20:.1f} MiB")
