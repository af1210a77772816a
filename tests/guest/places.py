# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the guests' tests find things."""

import os

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
# Guests are tried with the release build; ctest says where that is.
BUILD = os.environ.get("DMREMAP_BUILD", os.path.join(SOURCE, "build"))
PAYLOADS = os.path.join(HERE, "payloads")
KERNELS = os.path.join(BUILD, "guest/kernels")
RESULTS = os.path.join(BUILD, "guest/results")
