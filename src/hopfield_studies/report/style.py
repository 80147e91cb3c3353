"""The page's look: one style sheet, light and dark, from a phone to a wide screen."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fcfcfa; --ink: #1d2126; --soft: #5c646d; --rule: #dcdfe3; --card: #ffffff;
  --blue: #0072b2; --orange: #b87400; --green: #00805d; --red: #c24e00;
  --good: #00704f; --half: #8a5a00; --bad: #b03a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --ink: #e6e8ea; --soft: #a0a8b0; --rule: #333a41; --card: #1b1f23;
    --blue: #5bb4e8; --orange: #f0b040; --green: #3cc79f; --red: #ff8a4c;
    --good: #4fd0a5; --half: #f0b040; --bad: #ff9466;
  }
  /* Pictures are drawn as ink on paper; turned over whole, they are chalk on slate. */
  svg.pictures:not(.light) { filter: invert(1) hue-rotate(180deg); --ink: #1d2126; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.6 Charter, "Bitstream Charter", "Iowan Old Style", Palatino, Georgia, serif;
}
main, header, footer { max-width: 62rem; margin: 0 auto; padding: 0 1.1rem; }
header { padding-top: clamp(1.6rem, 6vw, 4rem); }
h1, h2, h3, th, nav, caption, figcaption, .verdict, .key, footer, .stamp {
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
h1 { font-size: clamp(1.7rem, 5vw, 2.6rem); line-height: 1.15; letter-spacing: -0.02em;
  margin: 0 0 0.8rem; text-wrap: balance; }
h2 { font-size: 1.45rem; letter-spacing: -0.01em; margin: 2.2rem 0 0.5rem; padding-top: 1rem;
  border-top: 1px solid var(--rule); }
h3 { font-size: 1.05rem; margin: 1.8rem 0 0.3rem; }
summary { cursor: pointer; }
summary h3 { display: inline; }
section > details { margin: 0.8rem 0; }
p { max-width: 42rem; margin: 0.6rem 0; }
a { color: var(--blue); text-underline-offset: 0.15em; }
.lead { font-size: 1.15rem; }
.stamp { color: var(--soft); font-size: 0.85rem; }
nav ol { display: flex; flex-wrap: wrap; gap: 0.3rem 1.2rem; padding: 0; margin: 1.4rem 0;
  list-style: none; font-size: 0.92rem; }
.figures { display: grid; gap: 1.6rem 2.2rem; margin: 1.2rem 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 18rem), 1fr)); }
.figures > p { margin: 0; }
figure { margin: 0; max-width: 26rem; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { font-size: 0.88rem; line-height: 1.45; color: var(--soft); margin-top: 0.4rem; }
figure svg * { stroke-linejoin: round; stroke-linecap: butt; }
svg.pictures image { image-rendering: pixelated; }
.scroll { overflow-x: auto; margin: 1.2rem 0; }
table { border-collapse: collapse; width: 100%; font-size: 0.95rem; line-height: 1.4; }
caption { text-align: left; color: var(--soft); font-size: 0.88rem; padding-bottom: 0.5rem; }
th, td { text-align: left; vertical-align: top; padding: 0.38rem 0.9rem 0.38rem 0;
  border-bottom: 1px solid var(--rule); }
th { font-size: 0.82rem; font-weight: 600; color: var(--soft); }
tbody th { color: var(--ink); font-size: 0.9rem; }
td.figure { font-variant-numeric: tabular-nums; white-space: nowrap; }
.verdict { font-weight: 650; white-space: nowrap; font-size: 0.9rem; }
.holds { color: var(--good); } .partly { color: var(--half); } .fails { color: var(--bad); }
.unknown { color: var(--soft); }
.source, .criterion { color: var(--soft); font-size: 0.82rem; }
.criterion { display: block; }
.source { font-weight: 400; }
.tally { display: flex; flex-wrap: wrap; gap: 0.4rem 2rem; padding: 0; margin: 1rem 0;
  list-style: none; }
.tally b { font-size: 1.7rem; font-weight: 650; margin-right: 0.35rem;
  font-variant-numeric: tabular-nums; }
footer { color: var(--soft); font-size: 0.85rem; padding-block: 3rem; }
@media (max-width: 44rem) {
  body { font-size: 1rem; }
  table { font-size: 0.84rem; }
  tbody th { font-size: 0.84rem; }
  th, td { padding-right: 0.3rem; }
  caption { max-width: calc(100vw - 2.6rem); }
  td.figure { white-space: normal; }
  .cards caption { display: block; }
  .cards thead { position: absolute; width: 1px; height: 1px; overflow: hidden;
    clip-path: inset(50%); }
  .cards, .cards tbody, .cards tr, .cards th, .cards td { display: block; width: 100%; }
  .cards tr { padding: 0.8rem 0; border-bottom: 1px solid var(--rule); }
  .cards th, .cards td { border: 0; padding: 0.12rem 0; white-space: normal; }
  .cards td[data-label]::before { content: attr(data-label) ": "; color: var(--soft);
    font-size: 0.85em; }
}
@media print {
  nav { display: none; }
  h2 { break-after: avoid; }
  figure, tr { break-inside: avoid; }
  details::details-content { content-visibility: visible; height: auto; }
}
"""
