# SPDX-License-Identifier: GPL-2.0-or-later
"""What uses a device while packages are installed."""

import threading

import support
from support import equal


class Load:
    """Writes and reads back all over a device, until it is stopped; what went wrong is in `errors`."""

    def __init__(self, device, sectors):
        self.device, self.sectors = device, sectors
        self.errors, self.rounds, self.latest = [], 0, {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        try:
            while not self._end.is_set():
                for sector in range(0, self.sectors, self.sectors // 16):
                    seed = self.rounds
                    support.write_sectors(self.device, sector, support.pattern(sector, 8, seed))
                    self.latest[sector] = seed
                    equal(support.read_sectors(self.device, sector, 8), support.pattern(sector, 8, seed),
                          f"sector {sector} as written")
                self.rounds += 1
        except (OSError, support.CheckFailed) as error:
            self.errors.append(str(error))

    def goes_on(self, what):
        seen = self.rounds
        support.wait_until(lambda: self.errors or self.rounds > seen + 1, what)
        equal(self.errors, [], what)

    def stop(self):
        self._end.set()
        self._thread.join()
