"""The look of the report; light and dark by the reader's choice."""

STYLE = """:root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--faint:#667;--rule:#ddd;--doubt:#fff4d6;--fault:#ffe0dd;--held:#dff3e4;
--us:#2f6fde;--floor:#8a93a0;--peer:#c4813d;--c1:#c4813d;--c2:#2c9a6b;--c3:#b5489a;--c4:#7a5cd6;--c5:#a0522d;--c6:#5b7c99;--c7:#888}
@media(prefers-color-scheme:dark){:root{--paper:#15181c;--ink:#dde1e6;--faint:#98a;--rule:#343a42;--doubt:#463a14;--fault:#58221d;--held:#1d4229;
--us:#6c9cf5;--floor:#7b8591;--peer:#d59a5b;--c1:#d59a5b;--c2:#55c393;--c3:#d77cc0;--c4:#a590ee;--c5:#cf8a63;--c6:#8fb0cc;--c7:#aaa}}
body{font:15px/1.5 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem;color:var(--ink);background:var(--paper)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:14px}
td,th{padding:.2rem .5rem;text-align:right;border-bottom:1px solid var(--rule);vertical-align:top}
th{font-weight:600;color:var(--faint)}td:first-child,th:first-child,.words td,.words th{text-align:left}td{white-space:nowrap}.words td,td.why{white-space:normal}td.why{text-align:left;color:var(--faint)}
.wide{overflow-x:auto}.doubt,.fault{padding:.4rem .8rem;margin:.4rem 0;border-radius:4px}.doubt,td.open{background:var(--doubt)}
.fault,td.missed{background:var(--fault)}td.held{background:var(--held)}
h2{margin:2.4rem 0 .2rem}.axis{margin:.8rem 0 0;color:var(--faint)}svg{width:100%;height:auto;margin:.4rem 0}
text{font:13px system-ui,sans-serif;fill:currentColor}.us{fill:var(--us)}.floor{fill:var(--floor)}.peer{fill:var(--peer)}
.whisker{stroke:var(--ink);stroke-width:2}.grid{stroke:var(--rule);stroke-width:1}.line path{fill:none;stroke:currentColor;stroke-width:2}
.line .lead{stroke-width:1;opacity:.4}.line circle{fill:currentColor}.c0{color:var(--us)}.c1{color:var(--c1)}.c2{color:var(--c2)}.c3{color:var(--c3)}
.c4{color:var(--c4)}.c5{color:var(--c5)}.c6{color:var(--c6)}.c7{color:var(--c7)}
dl{display:grid;grid-template-columns:max-content auto;gap:.1rem 1rem}dt{color:var(--faint)}dd{margin:0}code{overflow-wrap:anywhere}"""
