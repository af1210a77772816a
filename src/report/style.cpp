// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/style.hpp"

#include <string_view>

namespace dmremap::report {

namespace {

// Colours are named once for light and once for dark. Each text is at least 4.5:1 on both of the
// backgrounds (tests/report/report_page.py measures it), and no colour says a thing alone. The
// colours of states in light are those of view/state_style.hpp, which stand in the SVG itself.
constexpr std::string_view kColors = R"css(
:root {
  color-scheme: light dark;
  --page: #f3f5f8; --card: #ffffff; --ink: #1a2029; --faint: #56606d; --line: #d5dae1;
  --code: #eef1f5; --accent: #0b5cad;
  --good: #17702f; --watch: #8a5a00; --soon: #b03f00; --now: #b8141f; --unknown: #56606d;
  --bar: #0b6cb8; --bar-alt: #b03f00; --wedge: #0b6cb82e; --shade: #e9ecf1;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #0e1218; --card: #171c24; --ink: #e4e9f0; --faint: #9fabb9; --line: #333c48;
    --code: #212832; --accent: #7cb8f5;
    --good: #57c777; --watch: #e0b040; --soon: #f5924a; --now: #ff8078; --unknown: #9fabb9;
    --bar: #58a8ec; --bar-alt: #f5924a; --wedge: #58a8ec38; --shade: #212832;
  }
  .cell.good { stroke: #39424f; }
  .cell.remapped { stroke: #4da3e0; }
  .cell.suspect { stroke: #e8c53a; }
  .cell.lost { stroke: #f07a35; }
  .cell.gone { stroke: #f4f6f9; }
  .mark.lost, .mark.gone { stroke: #171c24; }
}
)css";

constexpr std::string_view kLayout = R"css(
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
main, header, footer { max-width: 1120px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 28px; }
h1 { margin: 0; font-size: 2rem; line-height: 1.2; overflow-wrap: anywhere; }
header p, footer p { margin: 4px 0; color: var(--faint); overflow-wrap: anywhere; }
.kind { font-size: .82rem; letter-spacing: .05em; text-transform: uppercase; color: var(--faint);
  font-weight: 600; }
.nowrap { white-space: nowrap; }
footer { padding-top: 8px; padding-bottom: 32px; font-size: .88rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 20px 24px; margin: 16px 0; overflow-wrap: anywhere; }
h2 { margin: 0 0 10px; font-size: 1.2rem; line-height: 1.3; }
p { margin: 8px 0; max-width: 75ch; }
.source, .none { color: var(--faint); font-size: .9rem; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: .88em; }
pre { margin: 6px 0; padding: 8px 12px; background: var(--code); border-radius: 6px;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.clock { white-space: nowrap; }
svg { display: block; }
)css";

constexpr std::string_view kTables = R"css(
table { border-collapse: collapse; width: 100%; margin: 14px 0 4px; font-size: .92rem;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--faint); font-size: .86rem; padding-bottom: 4px; }
th, td { text-align: left; vertical-align: top; padding: 6px 12px 6px 0;
  border-bottom: 1px solid var(--line); }
th:last-child, td:last-child { padding-right: 0; }
tr:last-child > * { border-bottom: 0; }
thead th { color: var(--faint); font-weight: 600; font-size: .84rem; border-bottom: 1px solid var(--line); }
tbody th { font-weight: 500; }
.number { text-align: right; white-space: nowrap; }
.facts th { width: 9.5em; color: var(--faint); font-weight: 400; }
.facts caption { color: var(--ink); font-weight: 600; font-size: .95rem; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr));
  gap: 4px 40px; align-items: start; }
.swatch { display: inline-block; width: 14px; height: 14px; margin-right: 8px; vertical-align: -2px; }
.legend th { white-space: nowrap; }
.events tbody th { font-weight: 400; color: var(--faint); }
.events thead th:nth-child(1) { width: 13.5em; }
.events thead th:nth-child(2) { width: 12em; }
.event { font-weight: 600; }
.severity { font-size: .84rem; color: var(--faint); }
.event.warning::before { content: "\25b2\a0" / ""; color: var(--watch); }
.event.error::before { content: "\25a0\a0" / ""; color: var(--now); }
details { margin-top: 12px; }
summary { cursor: pointer; color: var(--accent); font-size: .92rem; }
)css";

constexpr std::string_view kTop = R"css(
#verdict { border-left: 8px solid var(--tone); }
#verdict.good { --tone: var(--good); }
#verdict.watch { --tone: var(--watch); }
#verdict.replace-soon { --tone: var(--soon); }
#verdict.replace-now { --tone: var(--now); }
#verdict.unknown { --tone: var(--unknown); }
.head { display: flex; gap: 18px; align-items: center; }
.head p { margin: 2px 0 0; }
.sign { flex: none; width: 56px; height: 56px; fill: none; stroke: var(--tone); stroke-width: 3.5;
  stroke-linecap: round; stroke-linejoin: round; }
#verdict h2 { margin: 0; }
#verdict h2 .kind { display: block; }
#verdict h2 strong { font-size: 1.9rem; line-height: 1.15; color: var(--tone); }
.risk { font-size: 1.02rem; }
.risk-bar { width: 100%; max-width: 400px; margin-top: 6px; }
.scale { fill: var(--shade); stroke: var(--line); }
.range { fill: var(--tone); }
.tags { display: flex; flex-wrap: wrap; gap: 8px; list-style: none; margin: 0; padding: 0; }
.tag { border: 1px solid var(--line); border-radius: 999px; padding: 2px 12px; font-weight: 600;
  font-size: .92rem; }
.tag.fine span { color: var(--good); }
.tag.idle span { color: var(--faint); }
.tag.trouble { border-color: var(--soon); }
.tag.trouble span { color: var(--soon); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
  margin: 14px 0 0; }
.tile { border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px; }
.tile dt { color: var(--faint); font-size: .86rem; }
.tile dd { margin: 0; font-size: .86rem; color: var(--faint); }
.tile strong { display: block; font-size: 1.45rem; line-height: 1.3; color: var(--ink);
  font-variant-numeric: tabular-nums; }
.tile.bad { border-color: var(--soon); border-left-width: 5px; }
.advice { margin: 0; padding-left: 1.4em; }
.advice li { margin: 0 0 12px; padding-left: 4px; }
.because { display: inline-block; border: 1px solid var(--line); border-radius: 4px; padding: 0 7px;
  margin-right: 4px; font-size: .82rem; font-weight: 600; }
)css";

constexpr std::string_view kPictures = R"css(
.map svg { width: 100%; height: auto; margin-top: 12px; }
.map .narrow { display: none; }
.address, .label { fill: var(--faint); font-family: inherit; font-variant-numeric: tabular-nums; }
.label { font-size: 12px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 290px), 1fr));
  gap: 12px 28px; }
.charts.large { grid-template-columns: repeat(auto-fit, minmax(min(100%, 430px), 1fr));
  margin-top: 18px; }
figure { margin: 0; max-width: 560px; display: flex; flex-direction: column; min-width: 0; }
figcaption { font-size: .88rem; color: var(--faint); }
.charts .chart { margin-top: auto; padding-top: 6px; }
figcaption .name { display: block; color: var(--ink); font-weight: 600; font-size: .95rem; }
figcaption strong { color: var(--ink); font-size: 1.15rem; }
.chart { width: 100%; height: auto; }
.grid { stroke: var(--line); stroke-width: 1; stroke-dasharray: 2 3; }
.axis { stroke: var(--faint); stroke-width: 1; fill: none; }
.unobserved { fill: var(--shade); }
.bar { fill: var(--bar); }
.used, .median { fill: none; stroke: var(--bar); stroke-width: 2.2; stroke-linejoin: round; }
.p99 { fill: none; stroke: var(--bar-alt); stroke-width: 2.2; stroke-dasharray: 6 3; }
circle.used, circle.median { fill: var(--bar); stroke: none; }
circle.p99 { fill: var(--bar-alt); stroke: none; }
.typical { fill: none; stroke: var(--bar); stroke-width: 2; stroke-linejoin: round; }
.slowest { fill: var(--bar-alt); stroke: none; }
.today { stroke: var(--faint); stroke-width: 1; }
.forecast { fill: var(--wedge); stroke: var(--bar); stroke-width: 1; }
.full { stroke: var(--bar-alt); stroke-width: 1.6; stroke-dasharray: 7 4; }
.key { display: inline-flex; align-items: center; gap: 6px; margin-right: 18px; }
.key svg { width: 30px; height: 8px; }
.progress { width: 100%; height: 10px; border-radius: 5px; }
.progress .done { fill: var(--bar); }
.copies { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; }
.copy { display: inline-grid; place-items: center; width: 26px; height: 26px; border-radius: 5px;
  border: 1px solid var(--good); color: var(--good); font-weight: 700; }
.copy.bad { border-color: var(--now); color: var(--now); }
)css";

constexpr std::string_view kMedia = R"css(
@media (max-width: 640px) {
  body { font-size: 15px; }
  main, header, footer { padding-left: 12px; padding-right: 12px; }
  header { padding-top: 18px; }
  section { padding: 14px; border-radius: 10px; }
  h1 { font-size: 1.6rem; }
  .map .wide { display: none; }
  .map .narrow { display: block; }
  .legend thead th:nth-child(4), .legend td:nth-child(4) { display: none; }
  .events thead th:nth-child(1) { width: 6.8em; }
  .events thead th:nth-child(2) { width: 7.8em; }
  .facts th { width: 7.5em; }
  .days { font-size: .78rem; }
  .days th, .days td { padding-right: 6px; white-space: normal; }
  .tiles { grid-template-columns: repeat(2, 1fr); }
  .sign { width: 44px; height: 44px; }
}
@media print {
  :root { --page: #fff; --card: #fff; --ink: #000; --faint: #444; --line: #bbb; --code: #fff; }
  body { font-size: 10.5pt; }
  main, header, footer { max-width: none; padding: 0; }
  section { border: 0; border-top: 1px solid #bbb; border-radius: 0; padding: 10px 0; margin: 0; }
  #verdict { padding-left: 12px; }
  figure, tr, .tile, .advice li, .map, .head { break-inside: avoid; }
  h2 { break-after: avoid; }
  pre { border: 1px solid #bbb; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
)css";

}  // namespace

std::string style_sheet() {
  return std::string(kColors).append(kLayout).append(kTables).append(kTop).append(kPictures).append(
      kMedia);
}

}  // namespace dmremap::report
