#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of a report in a browser: it fits a telephone and a desktop, is legible in light and
dark, and asks nobody for anything.

Screenshots are not compared with stored ones: letters differ from one version of a font or of the
browser to the next by more than a fault of ours would. What is measured is what a fault of ours
would change: widths, the contrast of each text, and how many pixels have the colours that must be
there."""

import base64
import os

import browser
import images
import support
from support import check, equal

EXAMPLES = os.path.join(os.path.dirname(support.DMREMAP), "report-examples")
LEAST_CONTRAST = 4.5
WIDTHS = (360, 390, 1280)

# For each text that is seen: its contrast with the nearest background below it (WCAG 2.1, 1.4.3).
CONTRAST = """(() => {
  const channels = (color) => color.match(/[0-9.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const linear = [r, g, b].map((c) => c / 255).map(
        (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = channels(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] === 1) return color;
      if (color[3] !== 0) return null;  // half transparent: nothing here is, so it is a fault
    }
    return [255, 255, 255];
  };
  const out = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode;
    const element = text.parentElement;
    if (!text.data.trim() || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const svg = element.namespaceURI.endsWith('svg');
    const front = channels(svg ? style.fill : style.color);
    const back = ground(element);
    const [a, b] = back ? [light(front), light(back)].sort((x, y) => y - x) : [0, 0];
    out.push([(a + 0.05) / (b + 0.05), element.tagName + '.' + element.getAttribute('class'),
              text.data.trim().slice(0, 40)]);
  }
  return out;
})()"""

# Elements that reach beyond the window, and texts that are cut off by their own element.
TOO_WIDE = """(() => {
  const width = document.documentElement.clientWidth;
  const name = (e) => e.tagName + '.' + e.getAttribute('class') + ' in ' +
      (e.closest('section') || {}).id;
  const beyond = (e) => {
    const box = e.getBoundingClientRect();
    return box.right > width + 0.5 || box.left < -0.5 ||
        (!e.ownerSVGElement && e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1);
  };
  return [...document.querySelectorAll('body *')].filter((e) => e.checkVisibility()).filter(
      beyond).map(name);
})()"""

# Texts in drawings that reach beyond the drawing, where they are cut off.
CUT_OFF = """[...document.querySelectorAll('svg text')].filter((t) => {
  if (!t.checkVisibility()) return false;
  const text = t.getBoundingClientRect(), svg = t.ownerSVGElement.getBoundingClientRect();
  return text.left < svg.left - 1 || text.right > svg.right + 1 || text.bottom > svg.bottom + 3;
}).map((t) => t.textContent)"""


def _fits(page, width, what):
    equal(page.evaluate("document.documentElement.scrollWidth"), width, f"{what}: its width")
    equal(page.evaluate(TOO_WIDE), [], f"{what}: what is too wide")
    equal(page.evaluate(CUT_OFF), [], f"{what}: texts that are cut off")


def _legible(page, what):
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    found = page.evaluate(CONTRAST)
    check(len(found) > 50, f"{what}: only {len(found)} texts are seen")
    faint = [one for one in found if one[0] < LEAST_CONTRAST]
    equal(faint[:5], [], f"{what}: texts of too little contrast, of {len(found)}")


def _structure(page, what):
    equal(page.evaluate("document.querySelectorAll('h1').length"), 1, f"{what}: titles")
    equal(page.evaluate("[...document.querySelectorAll('table')].filter("
                        "(t) => !t.caption || !t.querySelector('th[scope]')).length"), 0,
          f"{what}: tables without caption or headings")
    equal(page.evaluate("[...document.querySelectorAll('svg')].filter((s) => "
                        "s.getAttribute('aria-hidden') !== 'true' && !s.getAttribute('aria-label'))"
                        ".length"), 0, f"{what}: drawings without words")
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    equal(len(ids), len(set(ids)), f"{what}: ids")


def _quiet(page, path, what):
    """Nothing was fetched but the page, nothing ran, nothing was refused by its own policy."""
    asked = [e["request"]["url"] for e in page.events("Network.requestWillBeSent")]
    equal([url for url in asked if not url.startswith("data:")], ["file://" + path],
          f"{what}: requests")
    for event in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Page.javascriptDialogOpening",
                  "Log.entryAdded"):
        equal(page.events(event), [], f"{what}: {event}")
    equal(page.evaluate("document.querySelectorAll('script, img, iframe, object, link:not([rel=icon])')"
                        ".length"), 0, f"{what}: what could run or fetch")


def _seen(page, dark, what):
    """The first window: neither blank nor of one colour, and as light or dark as asked."""
    image = images.Png(page.screenshot())
    colors = image.colors()
    ground, most = max(colors.items(), key=lambda item: item[1])
    total = sum(colors.values())
    check(0.3 * total < most < 0.97 * total, f"{what}: {most} of {total} pixels are {ground}")
    check((sum(ground) < 3 * 60) == dark, f"{what}: the background is {ground}")
    check(len(colors) > 20, f"{what}: only {len(colors)} colours")


def _map_has_its_states(page, dark, what):
    """As many pixels of a state as there are squares of it, roughly: the drawing is on the screen."""
    page.evaluate("document.querySelector('#map').scrollIntoView()")
    colors = images.Png(page.screenshot()).colors(every=1)
    wanted = {"remapped": (77, 163, 224) if dark else (0, 115, 179),
              "lost": (240, 122, 53) if dark else (214, 94, 0)}
    for state, color in wanted.items():
        count = sum(n for seen, n in colors.items()
                    if all(abs(a - b) <= 3 for a, b in zip(seen, color)))
        check(count >= 30, f"{what}: {count} pixels of {state} sectors")


# The drawing of latencies across the disk: how many points and how small the smallest is, how much
# lines and points stand out from the ground (WCAG 2.1, 1.4.11 asks for 3), how much of the width
# the line and the shades of what is not read yet span, and what it says in words.
ACROSS = """(() => {
  const light = (color) => {
    const linear = color.match(/[0-9.]+/g).slice(0, 3).map((c) => Number(c) / 255).map(
        (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const line = document.querySelector('.chart path.typical');
  if (!line) return null;
  const svg = line.ownerSVGElement, all = svg.getBoundingClientRect();
  const points = [...svg.querySelectorAll('circle.slowest')];
  const shades = [...svg.querySelectorAll('rect.unobserved')];
  const ground = light(getComputedStyle(svg.closest('section')).backgroundColor);
  const contrast = (color) => {
    const [a, b] = [light(color), ground].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const boxes = points.map((p) => p.getBoundingClientRect());
  return {
    points: points.length, smallest: Math.min(...boxes.map((b) => b.width)),
    inside: boxes.every((b) => b.left >= all.left && b.right <= all.right && b.top >= all.top &&
                               b.bottom <= all.bottom),
    contrast: [contrast(getComputedStyle(line).stroke), contrast(getComputedStyle(points[0]).fill)],
    shade: contrast(getComputedStyle(shades[0]).fill),
    spans: [line, ...shades].map((e) => e.getBoundingClientRect().width / all.width),
    words: svg.getAttribute('aria-label'),
    rows: [...document.querySelectorAll('#latency tbody tr')].length};
})()"""


def _latency_across_the_disk(page, what):
    seen = page.evaluate(ACROSS)
    check(seen, f"{what}: latencies across the disk are drawn")
    equal(seen["points"], 90, f"{what}: points")
    check(seen["smallest"] >= 2 and seen["inside"], f"{what}: points of {seen['smallest']} pixels")
    check(min(seen["contrast"]) >= 3, f"{what}: contrast of line and points: {seen['contrast']}")
    check(seen["shade"] >= 1.1, f"{what}: contrast of the shade: {seen['shade']}")
    line, *shades = seen["spans"]
    check(line > 0.75 and len(shades) == 2, f"{what}: widths of line and shades: {seen['spans']}")
    check("90 of 96 parts read" in seen["words"], f"{what}: in words: {seen['words']}")
    equal(seen["rows"], 96, f"{what}: rows of numbers")


def _print(page, what):
    """On paper it is dark on light, also for a user who likes it dark, and no column is cut off."""
    page.call("Emulation.setEmulatedMedia", media="print", features=[
        {"name": "prefers-color-scheme", "value": "dark"}])
    _legible(page, what + ", print")
    equal(page.evaluate("getComputedStyle(document.querySelector('section')).backgroundColor"),
          "rgb(255, 255, 255)", f"{what}: paper")
    pdf = base64.b64decode(page.call("Page.printToPDF", printBackground=False)["data"])
    check(pdf.startswith(b"%PDF") and len(pdf) > 10_000, f"{what}: {len(pdf)} bytes of PDF")


def _hostile(page, what):
    title = page.evaluate("document.querySelector('h1').textContent")
    check("<script>alert(1)</script>" in title, f"{what}: its text is shown: {title}")
    check("\\x1b" in title and "\\u202e" in title, f"{what}: what is not seen is spelled out: {title}")


def report_page(t):
    directory = t.path("pages")
    os.mkdir(directory)
    support.run(EXAMPLES, directory)
    names = sorted(name.removesuffix(".html") for name in os.listdir(directory))
    check({"watched", "hostile", "unknown", "large"} <= set(names), f"examples: {names}")
    with browser.Browser(t) as chromium:
        for name in names:
            path = os.path.join(directory, name + ".html")
            for width in WIDTHS:
                dark = width == 390
                what = f"{name}, {width} wide, {'dark' if dark else 'light'}"
                page = chromium.open(path, width, dark)
                _seen(page, dark, what)
                _legible(page, what)
                _fits(page, width, what)
                _structure(page, what)
                if name == "watched":
                    _map_has_its_states(page, dark, what)
                    _latency_across_the_disk(page, what)
                if name == "hostile":
                    _hostile(page, what)
                _quiet(page, path, what)
            page = chromium.open(path, 1280, dark=True)
            _seen(page, True, f"{name}, 1280 wide, dark")
            _legible(page, f"{name}, 1280 wide, dark")
            if name == "watched":
                _latency_across_the_disk(page, f"{name}, 1280 wide, dark")
                _print(page, name)


support.run_test(report_page, programs=[browser.PROGRAM])
