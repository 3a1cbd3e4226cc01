//! The style sheet of the page: light and dark, on a screen and on paper.

/// Its only one.
pub const CSS: &str = "
:root { color-scheme: light dark; --text: #1c2128; --dim: #59636e; --back: #ffffff; --box: #f6f8fa; --line: #d1d9e0; --good: #1a7f37; --warn: #8a5a00; --bad: #c62828; }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --dim: #9da7b3; --back: #0d1117; --box: #161b22; --line: #30363d; --good: #56d364; --warn: #e3b341; --bad: #ff7b72; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem; background: var(--back); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.6rem; }
h2 { margin: 2.2rem 0 0.6rem; font-size: 1.15rem; }
h3 { margin: 0 0 0.4rem; font-size: 1rem; overflow-wrap: anywhere; }
p { margin: 0.3rem 0; }
.dim { color: var(--dim); }
.summary { margin-top: 1rem; padding: 0.8rem 1rem; border: 1px solid var(--line); border-left: 5px solid var(--good); border-radius: 6px; background: var(--box); font-size: 1.05rem; }
.summary.soon { border-left-color: var(--warn); }
.summary.late { border-left-color: var(--bad); }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
.good, .warn, .bad { font-weight: 600; }
ol.due { margin: 0; padding: 0; list-style: none; }
ol.due li, .ca { margin-bottom: 0.6rem; padding: 0.7rem 1rem; border: 1px solid var(--line); border-radius: 6px; background: var(--box); break-inside: avoid; }
code { font: 0.88em/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
ol.due code { display: block; margin-top: 0.3rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.1rem 1rem; margin: 0; }
dt { color: var(--dim); }
dd { margin: 0; overflow-wrap: anywhere; }
footer { margin-top: 2.2rem; }
.wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: 0.92em; font-variant-numeric: tabular-nums; }
th, td { padding: 0.35rem 0.7rem 0.35rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { color: var(--dim); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 600; }
td.long { overflow-wrap: anywhere; min-width: 12rem; }
td.whole { white-space: nowrap; }
@media print { :root { color-scheme: light; --text: #000000; --dim: #444444; --back: #ffffff; --box: #ffffff; --line: #999999; --good: #1a7f37; --warn: #8a5a00; --bad: #b00000; } body { max-width: none; padding: 0; font-size: 10pt; } .wide { overflow: visible; } thead { display: table-header-group; } tr { break-inside: avoid; } h2 { break-after: avoid; } }
";
