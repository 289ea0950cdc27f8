"""The style sheet of the report page: one column, light and dark, nothing fetched from anywhere."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --page: #fbfbfa; --card: #ffffff; --ink: #1d2127; --soft: #646b76; --rule: #e3e5e9;
  --train: #b2c7e6; --smooth: #2e62b2; --heldout: #d95f0e; --ema: #238b5e;
  --proved: #1a7f4b; --refuted: #c0312b; --unknown: #9a6700; --code: #f5f6f7; --keyword: #7c3aad;
  --number: #1f5fae; --comment: #6d7480; --proved-back: #e6f5ec; --refuted-back: #fdecea;
  --unknown-back: #fdf4dc;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14161a; --card: #1c1f25; --ink: #e6e8ec; --soft: #9aa2ae; --rule: #30353e;
    --train: #41587c; --smooth: #7fb0f5; --heldout: #f59a53; --ema: #5cc795;
    --proved: #6fd39d; --refuted: #ff8f87; --unknown: #e8bf5c; --code: #181b20;
    --keyword: #c79bf0; --number: #8fbcf7; --comment: #8a929e; --proved-back: #16331f;
    --refuted-back: #3d1a18; --unknown-back: #372c10;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); overflow-wrap: break-word;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial,
  sans-serif; }
main { max-width: 1084px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 28px; margin: 0; letter-spacing: -0.01em; }
h2 { font-size: 18px; margin: 40px 0 12px; }
p { margin: 6px 0; }
.soft { color: var(--soft); }
code, pre, .mono { font-size: 13px;
  font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.tiles { display: flex; flex-wrap: wrap; gap: 12px; margin: 20px 0 0; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: 10px;
  padding: 10px 16px; min-width: 120px; }
.tile b { display: block; font-size: 20px; font-weight: 600; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 10px;
  padding: 16px; overflow-x: auto; }
.charts { display: grid; gap: 14px;
  grid-template-columns: repeat(auto-fit, minmax(min(310px, 100%), 1fr)); }
.charts h3 { margin: 0 0 6px; font-size: 15px; }
.charts h3 span { color: var(--soft); font-weight: 400; font-size: 13px; }
svg.chart { width: 100%; height: auto; display: block; }
svg.chart text { fill: var(--soft); font-size: 12.5px; }
svg .rule { stroke: var(--rule); stroke-width: 1; }
svg .series { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
svg .series.train { stroke: var(--train); stroke-width: 1.1; }
svg .series.smooth, svg .series.value { stroke: var(--smooth); }
svg .series.heldout { stroke: var(--heldout); } svg .series.ema { stroke: var(--ema); }
svg .dot.train { fill: var(--train); }
svg .dot.smooth, svg .dot.value { fill: var(--smooth); }
svg .dot.heldout { fill: var(--heldout); } svg .dot.ema { fill: var(--ema); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 14px; color: var(--soft); font-size: 12px;
  margin-top: 4px; }
.key { display: inline-flex; align-items: center; gap: 6px; }
.swatch { width: 14px; height: 3px; border-radius: 2px; background: var(--smooth); }
.swatch.train { background: var(--train); } .swatch.heldout { background: var(--heldout); }
.swatch.ema { background: var(--ema); }
.swatch.heldout, .swatch.ema { width: 7px; height: 7px; border-radius: 50%; }
.pictures { display: flex; flex-wrap: wrap; gap: 14px; align-items: flex-start; }
figure { margin: 0; background: #ffffff; border: 1px solid var(--rule); border-radius: 10px;
  padding: 6px; max-width: 100%; }
figure img { display: block; max-width: 100%; image-rendering: pixelated; }
figcaption { color: #646b76; font-size: 13px; padding: 2px 8px 4px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; color: var(--soft); font-weight: 500; font-size: 13px; }
th, td { padding: 5px 14px 5px 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.verdict { display: inline-block; padding: 0 9px; border-radius: 9px; font-size: 13px;
  font-weight: 600; }
.verdict.proved, .verdict.certified { color: var(--proved); background: var(--proved-back); }
.verdict.refuted { color: var(--refuted); background: var(--refuted-back); }
.verdict.unknown, .verdict.measured { color: var(--unknown); background: var(--unknown-back); }
.banner { border-radius: 10px; padding: 10px 16px; margin-top: 18px; color: var(--refuted);
  background: var(--refuted-back); }
.columns { display: grid; gap: 14px;
  grid-template-columns: repeat(auto-fit, minmax(min(310px, 100%), 1fr)); }
.columns > div { min-width: 0; }
pre { margin: 0; background: var(--card); line-height: 1.5; }
pre .c { color: var(--comment); font-style: italic; } pre .k { color: var(--keyword); }
pre .n { color: var(--number); } pre .l { color: var(--soft); user-select: none; opacity: 0.7; }
footer { margin-top: 48px; color: var(--soft); font-size: 13px; }
"""
