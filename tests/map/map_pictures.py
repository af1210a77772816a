#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Pictures of disks, as a browser shows the SVG and as the PNG has them: all texts are inside, the
loss is red, each square says what it is, and as much is coloured as went bad."""

import os

import browser
import images
import support
from support import check, equal

EXAMPLES = os.path.join(os.path.dirname(support.DMREMAP), "map-examples")
RED, LOST = (184, 15, 23), (214, 94, 0)

# Texts that reach beyond the picture, or over another one.
FAULTS = """(() => {
  const texts = [...document.querySelectorAll('text')].map((e) => [e.textContent, e.getBoundingClientRect()]);
  const view = document.documentElement.viewBox.baseVal;
  const out = texts.filter(([, box]) => box.left < 0 || box.right > view.width ||
                                        box.top < 0 || box.bottom > view.height).map(([text]) => text);
  for (let i = 0; i < texts.length; ++i) {
    for (let j = 0; j < i; ++j) {
      const [a, b] = [texts[i][1], texts[j][1]];
      // Boxes have room above and below the letters.
      const over = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) - 0.35 * Math.min(a.height, b.height);
      const side = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      if (over > 0 && side > 0) out.push(texts[i][0] + ' over ' + texts[j][0]);
    }
  }
  return out;
})()"""
UNTITLED = """[...document.querySelectorAll('g')].filter(
    (e) => !/^(\\d+\\+\\d+ at [\\d.]+ [KMGT]?i?B: |partition \\d+: )/.test(
        (e.querySelector(':scope > title') || {textContent: ''}).textContent)).length"""


def _share(colors, wanted):
    """Of all pixels, those of about that colour."""
    seen = sum(count for color, count in colors.items()
               if all(abs(a - b) <= 8 for a, b in zip(color, wanted)))
    return seen / sum(colors.values())


def _colored(name, kind, png):
    """As much is coloured as went bad. Lines of a pixel mix with what lies beside them."""
    colors = images.Png(png).colors()
    lost = _share(colors, LOST)
    what = f"{name}, {kind}: {lost:.2%} in the colour of lost sectors"
    print(what, flush=True)
    check((_share(colors, RED) > 0.0005) == (name != "healthy"), f"{what}: only a loss is red")
    if name == "mostly-dead":
        check(lost > 0.06, what)
    if name == "scattered":
        check(0.001 < lost < 0.03, f"{what}, of 52 MiB of 8 TiB")


def map_pictures(t):
    directory = t.path("pictures")
    os.mkdir(directory)
    support.run(EXAMPLES, directory)
    names = sorted(name.removesuffix(".svg") for name in os.listdir(directory) if name.endswith(".svg"))
    check({"healthy", "every-state", "mostly-dead", "scattered", "hostile"} <= set(names), f"{names}")
    with browser.Browser(t) as chromium:
        for name in names:
            page = chromium.open(os.path.join(directory, name + ".svg"), 1200, height=1200)
            equal(page.evaluate("document.documentElement.localName"), "svg", f"{name}: it is SVG")
            equal(page.evaluate(FAULTS), [], f"{name}: texts that do not fit")
            check(page.evaluate("document.querySelectorAll('g').length") > 2000, f"{name}: squares")
            equal(page.evaluate(UNTITLED), 0, f"{name}: squares that do not say what they are")
            _colored(name, "SVG", page.screenshot())
    with open(os.path.join(directory, "mostly-dead.png"), "rb") as file:
        _colored("mostly-dead", "PNG", file.read())


support.run_test(map_pictures, programs=[browser.PROGRAM])
